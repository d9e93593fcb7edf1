import { spawn } from 'node:child_process';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { findFreePort } from '../../scripts/embedded/ports.js';
import { sendSignal, startTimeOf } from '../../scripts/embedded/process.js';
import { waitUntil } from '../../scripts/embedded/wait.js';
import { createStartHome, PARTS, type StartHome } from '../support/start-command.js';
import { until } from '../support/until.js';

const PASSWORD = 'Kept-over-restarts-1!';
/** Only the worker counts runs. */
const ONE_RUN = /^pipeline_executions_total\{.*"completed".*\} 1$/m;

let place: StartHome;
beforeAll(async () => {
  place = await createStartHome();
});
afterAll(async () => {
  await place.forget();
});

async function post(path: string, body: object): Promise<number> {
  const headers = { 'content-type': 'application/json' };
  const response = await fetch(`${place.url}/api/v1${path}`, {
    method: 'POST',
    headers,
    body: JSON.stringify(body),
  });
  await response.text();
  return response.status;
}

/** Watches the parts until all have ended. @returns them in the order in which they ended */
async function endingOrder(): Promise<readonly string[]> {
  const running = new Map(PARTS.toReversed().map((part) => [part, place.pidOf(part)]));
  const ended: string[] = [];
  const isOver = (): boolean => {
    for (const [part, pid] of running) {
      if (startTimeOf(pid) === null) {
        running.delete(part);
        ended.push(part);
      }
    }
    return running.size === 0;
  };
  await waitUntil(() => Promise.resolve(isOver()), { timeoutMs: 30_000, pollMs: 1 });
  return ended;
}

/** What the processes of ours have logged as a warning or an error. */
function troubleInLogs(): readonly string[] {
  return ['api', 'collector', 'worker'].flatMap(
    (part) =>
      readFileSync(join(place.home, 'logs', `${part}.log`), 'utf8')
        .split('\n')
        .filter((line) => /^\{"level":"(?:warn|error|fatal)"/.test(line))
        .filter((line) => !line.includes('"event":"models retire soon"')), // as the day is
  );
}

/** Types the three lines that a start has printed into a shell, and then answers. */
async function firstConversation(output: string, answer: string): Promise<void> {
  const lines = output.split('\n').filter((line) => /^ {2}(TOKEN=|CHAT=|'\/)/.test(line));
  expect(lines).toHaveLength(3);
  const shell = spawn('bash', ['-c', lines.join('\n')], { detached: true, cwd: '/' });
  const { pid } = shell;
  if (pid === undefined) {
    throw new Error('there is no bash');
  }
  shell.stdin.on('error', () => undefined); // reported by what is missing then
  let said = '';
  shell.stdout.on('data', (text) => (said += String(text)));
  shell.stderr.on('data', (text) => (said += String(text)));
  try {
    await until('designs are presented', () => said.includes('"designs_presented"'));
    shell.stdin.write(`${answer}\n`);
    await until('the run has ended', () => /"pipeline_result".*"status":"completed"/.test(said));
  } catch (error) {
    throw new Error(`the conversation went otherwise: ${said}`, { cause: error });
  } finally {
    sendSignal(-pid, 'SIGKILL');
  }
}

test('one command serves everything, survives a kill, and leaves nothing when it ends', async () => {
  const account = { email: 'kept@example.com', password: PASSWORD };
  const first = await place.startAndWait();
  expect(await post('/auth/register', { ...account, display_name: 'Kept' })).toBe(201);
  expect(first.output()).toContain(`Data collector    ${place.collectorUrl}/api/v1`);
  expect(first.output()).toContain(`${place.collectorUrl}/metrics`);
  const health = await fetch(`${place.collectorUrl}/api/v1/health`);
  expect(await health.json()).toMatchObject({ service: 'data-collector' });
  const [, uiUrl = ''] = /Temporal Web UI +(\S+)/.exec(first.output()) ?? [];
  const page = await fetch(uiUrl);
  expect([page.status, await page.text()]).toEqual([200, expect.stringMatching(/<form/i)]);
  await until('the whole welcome', () => first.output().includes('?token=$TOKEN"'));
  expect(troubleInLogs()).toEqual([]);
  await firstConversation(first.output(), 'ok, take option 1');
  await until('one page has the metrics of the API and of the worker', async () => {
    const metrics = await (await fetch(`${place.url}/metrics`)).text();
    return /^http_requests_total\{/m.test(metrics) && ONE_RUN.test(metrics);
  });
  const left = PARTS.map(place.pidOf);
  first.child.kill('SIGKILL');
  await first.exit;

  const second = await place.startAndWait();
  expect(left.map(startTimeOf)).toEqual(PARTS.map(() => null));
  expect(await post('/auth/login', account)).toBe(200);

  const api = place.pidOf('api');
  sendSignal(api, 'SIGKILL');
  await until('the api runs again', () => second.output().includes('api runs again'));
  expect(await post('/auth/login', account)).toBe(200);

  const third = place.start();
  expect(await third.exit).toBe(1);
  expect(third.output()).toContain(`already runs in ${place.home} (pid ${second.child.pid ?? 0})`);

  const running = PARTS.map(place.pidOf);
  const since = Date.now();
  const ending = endingOrder();
  second.child.kill('SIGINT');
  expect(await second.exit).toBe(0);
  expect(await ending).toEqual(PARTS.toReversed());
  expect(Date.now() - since).toBeLessThan(20_000);
  expect(running.map(startTimeOf)).toEqual(PARTS.map(() => null));
  expect(readdirSync(place.home).filter((name) => name.endsWith('.pid'))).toEqual([]);
});

test.each(['PORT', 'COLLECTOR_PORT'])(
  'a taken %s is reported before anything starts',
  async (name) => {
    const port = await findFreePort();
    const holder = createServer();
    await new Promise<void>((done) => holder.listen(port, '127.0.0.1', done));
    const refused = place.start({ [name]: String(port) });
    const status = await refused.exit;
    holder.close();
    expect(status).toBe(1);
    expect(refused.output()).toMatch(
      new RegExp(`Port ${port} is in use.*set ${name} to a free port`),
    );
    expect(existsSync(join(place.home, 'postgres.pid'))).toBe(false);
  },
);

test('secrets are in no log', () => {
  const secrets = JSON.parse(readFileSync(join(place.home, 'secrets.json'), 'utf8')) as object;
  const logs = readdirSync(join(place.home, 'logs')).map((name) =>
    readFileSync(join(place.home, 'logs', name), 'utf8'),
  );
  for (const secret of [...Object.values(secrets).map(String), PASSWORD]) {
    expect(logs.some((log) => log.includes(secret))).toBe(false);
  }
});
