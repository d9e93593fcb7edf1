import type { ServerProcess } from '../../scripts/embedded/process.js';
import { keepRunning } from '../../scripts/start/keep-running.js';

interface FakeServer extends ServerProcess {
  end(): void;
  readonly stopped: () => boolean;
}

function createServer(): FakeServer {
  const { promise, resolve } = Promise.withResolvers<undefined>();
  let isStopped = false;
  return {
    name: 'Example',
    pid: 0,
    ended: promise,
    hasEnded: () => isStopped,
    stop: () => {
      isStopped = true;
      resolve(undefined);
      return Promise.resolve();
    },
    end: () => {
      resolve(undefined);
    },
    stopped: () => isStopped,
  };
}

test('a process that ends is started again, also when starting fails at first', async () => {
  const ending = new AbortController();
  const said: string[] = [];
  const first = createServer();
  const last = createServer();
  let starts = 0;
  const running = Promise.withResolvers<undefined>();
  const kept = keepRunning(first, {
    start: () => {
      starts += 1;
      return starts === 1 ? Promise.reject(new Error('no port')) : Promise.resolve(last);
    },
    say: (line) => {
      said.push(line);
      if (line === 'Example runs again.') {
        running.resolve(undefined);
      }
    },
    signal: ending.signal,
    firstDelayMs: 1,
  });
  first.end();
  await running.promise;
  ending.abort();
  last.end();
  await kept;
  expect(starts).toBe(2);
  expect(said).toEqual([
    'Example has ended; starting it again in 0.001 s …',
    'no port',
    'Example has ended; starting it again in 0.002 s …',
    'Example runs again.',
  ]);
});

test('nothing is started again once everything is being stopped', async () => {
  const ending = new AbortController();
  const first = createServer();
  let starts = 0;
  const start = (): Promise<ServerProcess> => {
    starts += 1;
    return Promise.resolve(createServer());
  };
  const kept = keepRunning(first, { start, say: () => undefined, signal: ending.signal });
  ending.abort();
  first.end();
  await kept;
  expect(starts).toBe(0);
});

test('a process whose restart is overtaken by the stop is stopped', async () => {
  const ending = new AbortController();
  const first = createServer();
  const late = createServer();
  const start = (): Promise<ServerProcess> => {
    ending.abort();
    return Promise.resolve(late);
  };
  first.end();
  await keepRunning(first, { start, say: () => undefined, signal: ending.signal, firstDelayMs: 1 });
  expect(late.stopped()).toBe(true);
});
