/** How a process of ours ends that cannot start, or cannot go on. */
const LINGER_MS = 2_000;

/**
 * Sets exit code 1 and lets the process end. What a failed start may have left open is given a
 * moment to close; it does not keep the process alive, because a supervisor restarts only what ends.
 */
export function endFailed(lingerMs = LINGER_MS): void {
  process.exitCode = 1;
  setTimeout(() => {
    process.exit(1);
  }, lingerMs).unref();
}
