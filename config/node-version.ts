const OLDEST_NODE = 22;

/** Ends the process with one sentence where Node is too old for our packages. */
export function requireNode(version = process.versions.node): void {
  if (Number(version.split('.')[0]) < OLDEST_NODE) {
    process.stderr.write(
      `Node ${version} is too old: AgentForge needs Node ${OLDEST_NODE} or newer (npm start brings its own).\n`,
    );
    process.exit(1);
  }
}
