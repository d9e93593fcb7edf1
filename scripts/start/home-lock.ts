import { linkSync, renameSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { makeHome } from '../embedded/embedded.js';
import { readRunning, writePidFile } from '../embedded/process.js';

/**
 * Takes the state directory for this process; give it back with the function returned.
 *
 * @throws Error that names the process which has it
 */
export function lockHome(home: string): () => void {
  makeHome(home);
  const file = join(home, 'start.pid');
  const draft = `${file}.${process.pid}`;
  writePidFile(draft, process.pid, 'npm start');
  try {
    removeIfDead(file);
    linkSync(draft, file); // fails if another start was first
  } catch (cause) {
    const holder = readRunning(file);
    const who = holder ? ` (pid ${holder.pid})` : '';
    throw new Error(
      `AgentForge already runs in ${home}${who}: stop it first, or set AGENTFORGE_HOME and the ports to others.`,
      { cause },
    );
  } finally {
    rmSync(draft, { force: true });
  }
  return () => {
    rmSync(file, { force: true });
  };
}

/** Moved first: only one of two starts can move it, and what it moved it can look at in peace. */
function removeIfDead(file: string): void {
  if (readRunning(file)) {
    return;
  }
  const moved = `${file}.old.${process.pid}`;
  try {
    renameSync(file, moved);
  } catch {
    return; // there was none
  }
  try {
    if (readRunning(moved)) {
      linkSync(moved, file);
    }
  } finally {
    rmSync(moved, { force: true });
  }
}
