/** The workflow that makes archives of runs, on a real server, on what its activity says. */
import { randomUUID } from 'node:crypto';
import { createArchiveRequests, type ArchiveRequests } from '../../../worker/archiving/requests.js';
import type { ArchiveSlice } from '../../../activities/maintenance/run-archives.js';
import { archivesWorkflowId } from '../../../domain/ids.js';
import { connectTemporal, type TemporalClient } from '../../../temporal/connection.js';
import { createLogger } from '../../../telemetry/logger.js';
import { until } from '../../support/until.js';
import {
  openWorkflowFixture,
  FIXTURE_KEYS,
  type WorkflowFixture,
} from '../../support/workflow-fixture.js';

const DONE: ArchiveSlice = { archived: 1, left: 0, next: null };

let fixture: WorkflowFixture;
let temporal: TemporalClient;
beforeAll(async () => {
  fixture = await openWorkflowFixture();
  ({ temporal } = fixture);
});
afterAll(() => fixture.close());

interface Fixture {
  readonly orders: ArchiveRequests;
  readonly asked: readonly (string | null)[];
  /** The status of the workflow; null: there is none. */
  status(): Promise<string | null>;
}

/** The results of its activity, in turn; the last for ever. */
async function archiving(
  slices: readonly (ArchiveSlice | (() => Promise<ArchiveSlice>))[],
  work: (fixture: Fixture) => Promise<void>,
  quietForMs = () => Infinity,
): Promise<void> {
  const taskQueue = `archives-${randomUUID()}`;
  const asked: (string | null)[] = [];
  const worker = await fixture.workerOf(taskQueue, {
    archiveEnded({ from }: { from: string | null }) {
      const slice = slices[Math.min(asked.length, slices.length - 1)] ?? DONE;
      asked.push(from);
      return typeof slice === 'function' ? slice() : slice;
    },
  });
  const { client } = temporal;
  const logger = createLogger('test', { level: 'silent' });
  const orders = createArchiveRequests({
    ...{ temporal: { client, taskQueue }, logger, quietForMs },
    ...{ quietMs: 20, latestMs: 500 },
  });
  const status = async () => {
    try {
      const handle = client.workflow.getHandle(archivesWorkflowId(taskQueue));
      return (await handle.describe()).status.name;
    } catch {
      return null;
    }
  };
  await worker.runUntil(work({ orders, asked, status }));
}

test('many orders within a moment are one, and one that is there ends when all is done', async () => {
  await archiving([DONE], async ({ orders, asked, status }) => {
    for (let count = 0; count < 50; count += 1) {
      orders.wantArchives();
    }
    await until('it has ended', async () => (await status()) === 'COMPLETED');
    expect(asked).toEqual([null]);
    orders.wantArchives();
    await until('another one has looked', () => asked.length === 2);
  });
});

test('a worker with work to do orders none until it has time, or has had none for too long', async () => {
  let isBusy = true;
  const quietForMs = () => (isBusy ? 0 : Infinity);
  const startedAt = performance.now();
  const story = async ({ orders, asked, status }: Fixture) => {
    orders.wantArchives();
    await until('it has ended', async () => (await status()) === 'COMPLETED');
    expect(performance.now() - startedAt).toBeGreaterThanOrEqual(500);
    isBusy = false;
    orders.wantArchives();
    await until('another one has looked', () => asked.length === 2);
  };
  await archiving([DONE], story, quietForMs);
});

test('it goes on where a slice has stopped', async () => {
  const next = '2026-11-24T12:00:00.000Z';
  await archiving([{ archived: 9, left: 0, next }, DONE], async ({ orders, asked, status }) => {
    orders.wantArchives();
    await until('it has ended', async () => (await status()) === 'COMPLETED');
    expect(asked).toEqual([null, next]);
  });
});

test('its history stays short, however many slices there are', async () => {
  const more = { archived: 1, left: 0, next: '2026-11-24T12:00:00.000Z' };
  const many = Array.from({ length: 120 }, () => more);
  await archiving([...many, DONE], async ({ orders, asked, status }) => {
    orders.wantArchives();
    await until('it has ended', async () => (await status()) === 'COMPLETED');
    expect(asked.filter((from) => from === null).length).toBeGreaterThan(1); // it has begun anew
  });
});

test('it looks again after those that have not closed', async () => {
  const open = { archived: 0, left: 1, next: null };
  await archiving([open, open, DONE], async ({ orders, asked, status }) => {
    orders.wantArchives();
    await until('it has ended', async () => (await status()) === 'COMPLETED');
    expect(asked).toEqual([null, null, null]);
  });
});

test('a run that ends while it looks is not forgotten', async () => {
  const looking = Promise.withResolvers<null>();
  const isTold = Promise.withResolvers<null>();
  const first = async () => {
    looking.resolve(null);
    await isTold.promise;
    return DONE;
  };
  await archiving([first, DONE], async ({ orders, asked, status }) => {
    orders.wantArchives();
    await looking.promise;
    orders.wantArchives();
    await orders.close(); // publishes it at once
    isTold.resolve(null);
    await until('it has ended', async () => (await status()) === 'COMPLETED');
    expect(asked).toHaveLength(2);
  });
});

test('an order that fails is no error of its caller', async () => {
  const lines: string[] = [];
  const away = await connectTemporal(
    { address: '127.0.0.1:9', namespace: 'default', apiKey: null, tls: null },
    FIXTURE_KEYS,
  );
  const logger = createLogger('test', { destination: { write: (line) => void lines.push(line) } });
  const orders = createArchiveRequests({
    ...{ temporal: { client: away.client, taskQueue: 'q' }, logger },
    ...{ quietForMs: () => 0, latestMs: 60_000 },
  });
  orders.wantArchives();
  await orders.close();
  await until('it is logged', () => lines.join().includes('archives wait for the reconciler'));
  await away.close();
});
