/** What an owner tells a run reaches the node that is meant, however its name is typed. */
import { createRunControl } from '../../api/run-control.js';
import { decideApproval, requestApproval } from '../../db/approvals.js';
import { inTransaction } from '../../db/transactions.js';
import { silentLogger } from '../../telemetry/logger.js';
import { admittedRun } from '../support/runs.js';
import { createTestDb, createTestUser, type TestDb } from '../support/servers.js';

let own: TestDb;
beforeAll(async () => {
  own = await createTestDb();
});
afterAll(() => own.drop());

const NFC = '검토';
const NFD = NFC.normalize('NFD');

/** A run that waits at a node of this name, and what takes each offer as the run would. */
async function waitingAt(node: string) {
  const now = new Date();
  const { id: userId } = await createTestUser(own.db);
  const pipelineId = await admittedRun(own.db, { userId }, now);
  await inTransaction(own.db, (tx) =>
    requestApproval(tx, {
      ...{ pipelineId, node, agentName: node, input: '' },
      ...{ onTimeout: 'reject', requestedAt: now, deadline: new Date(now.getTime() + 60_000) },
    }),
  );
  const client = {
    withDeadline: (_: number, work: () => Promise<void>) => work(),
    workflow: {
      getHandle: () => ({
        signal: (_: unknown, offer: { node: string; offerId: string }) =>
          inTransaction(own.db, (tx) => decideApproval(tx, { pipelineId, now, ...offer })),
      }),
    },
  };
  const control = createRunControl({
    ...{ db: own.db, logger: silentLogger },
    temporal: { client: client as any, taskQueue: 'any' },
  });
  return {
    decide: (as: string) =>
      control.offerDecision({
        ...{ pipelineId, userId, node: as, decision: 'approve', input: null, comment: null },
      }),
  };
}

test.each([
  [NFC, NFC],
  [NFC, NFD],
  [NFD, NFC],
  ['Cafe\u0301', 'Caf\u00e9'],
])('a node %j is approved as %j', async (node, as) => {
  const { decide } = await waitingAt(node);
  expect(await decide(as)).toMatchObject({ node, state: 'approved' });
});

test('a node of another name is not', async () => {
  const { decide } = await waitingAt(NFC);
  await expect(decide('검토2')).rejects.toMatchObject({ code: 'nothing-to-approve' });
});
