// One preparation at a time: a lock file that names its owner, taken over when the owner is gone.
import { linkSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';

const POLL_MS = 200;

/** Runs `work` as the only holder of `file`; waits while another process holds it. */
export async function withLock(file, say, work) {
  mkdirSync(dirname(file), { recursive: true, mode: 0o700 });
  let told = null;
  while (!take(file)) {
    const owner = ownerOf(file);
    if (owner !== null && !isAlive(owner)) {
      breakLock(file, owner);
    } else {
      if (owner !== null && told !== owner) {
        say(`Process ${owner} is already preparing this checkout; waiting (${file}) …`);
        told = owner;
      }
      await pause(POLL_MS);
    }
  }
  try {
    return await work();
  } finally {
    rmSync(file, { force: true });
  }
}

/** Makes the lock together with its content, or not at all. */
function take(file) {
  const draft = `${file}.${process.pid}`;
  rmSync(draft, { force: true });
  writeFileSync(draft, String(process.pid), { mode: 0o600, flag: 'wx' });
  try {
    linkSync(draft, file);
    return true;
  } catch (error) {
    if (error.code === 'EEXIST') {
      return false;
    }
    throw error;
  } finally {
    rmSync(draft, { force: true });
  }
}

function ownerOf(file) {
  try {
    return Number(readFileSync(file, 'utf8'));
  } catch {
    return null; // released meanwhile
  }
}

function isAlive(pid) {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return error.code === 'EPERM';
  }
}

/** Two may try: one that moves away a lock that is not the dead owner's puts it back. */
function breakLock(file, owner) {
  const moved = `${file}.broken.${process.pid}`;
  try {
    renameSync(file, moved);
    if (ownerOf(moved) !== owner) {
      linkSync(moved, file);
    }
  } catch {
    // another one was faster
  } finally {
    rmSync(moved, { force: true });
  }
}
