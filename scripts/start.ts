/** `npm start`: the whole of AgentForge on this machine, until Ctrl-C. */
import { requireNode } from '../config/node-version.js';
import { killChildren } from './embedded/children.js';
import { lockHome } from './start/home-lock.js';
import { readSettings } from './start/settings.js';
import { createSupervisor } from './start/supervisor.js';

requireNode();
process.umask(0o077); // what we and our children write is ours alone

for (const stream of [process.stdout, process.stderr]) {
  stream.on('error', () => undefined); // the reader is gone; we still have to stop in order
}

function say(line: string): void {
  console.log(line);
}

function fail(error: unknown): void {
  console.error(`\n${error instanceof Error ? error.message : String(error)}`);
  process.exitCode = 1;
}

async function run(): Promise<void> {
  const settings = readSettings();
  const unlock = lockHome(settings.home);
  const supervisor = createSupervisor(settings, say);
  const keepAlive = setInterval(() => undefined, 60_000); // the servers alone do not hold us
  const asked = waitForSignal();
  try {
    await Promise.race([supervisor.start(), asked]);
    await asked;
    say('Stopping …');
  } finally {
    await supervisor.stop();
    clearInterval(keepAlive);
    unlock();
  }
}

// unless we are killed, no child process stays behind
process.on('exit', killChildren);

async function waitForSignal(): Promise<NodeJS.Signals> {
  return new Promise((resolve) => {
    process.on('SIGINT', resolve).on('SIGTERM', resolve).on('SIGHUP', resolve);
  });
}

await run().catch(fail);
process.exit(); // a start that was interrupted may still wait for something
