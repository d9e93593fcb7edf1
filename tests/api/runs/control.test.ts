/** Decisions of an owner reach the right node, in any spelling of its name. */
import { createRunControl } from '../../../api/runs/control.js';
import { decideApproval, requestApproval } from '../../../db/runs/approvals.js';
import { inTransaction } from '../../../db/transactions.js';
import { silentLogger } from '../../../telemetry/logger.js';
import { admittedRun } from '../../support/runs.js';
import { createTestUser, testDbOfFile } from '../../support/servers.js';

const own = testDbOfFile();

const NFC = '검토';
const NFD = NFC.normalize('NFD');

type Taken = { readonly node: string; readonly offerId: string };

/** A run that waits at a node of this name, and takes each approval response as a real run would. */
async function waitingAt(node: string, answer: (take: () => Promise<unknown>) => Promise<unknown>) {
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
        startUpdate: (_: unknown, { args: [response] }: { args: [Taken] }) =>
          Promise.resolve({
            result: () =>
              answer(() =>
                inTransaction(own.db, (tx) => decideApproval(tx, { pipelineId, now, ...response })),
              ),
          }),
      }),
    },
  };
  const control = createRunControl({
    ...{ db: own.db, logger: silentLogger },
    temporal: { client: client as any, taskQueue: 'any' },
  });
  return {
    pipelineId,
    decide: (as: string) =>
      control.decideApproval({
        ...{ pipelineId, userId, node: as, decision: 'approve', input: null, comment: null },
      }),
  };
}

const taking = async (take: () => Promise<unknown>) => {
  await take();
  return 'done';
};

test.each([
  [NFC, NFC],
  [NFC, NFD],
  [NFD, NFC],
  ['Cafe\u0301', 'Caf\u00e9'],
])('a node %j is approved as %j', async (node, as) => {
  const { decide } = await waitingAt(node, taking);
  expect(await decide(as)).toMatchObject({ node, state: 'approved' });
});

test('a node of another name is not', async () => {
  const { decide } = await waitingAt(NFC, taking);
  await expect(decide('검토2')).rejects.toMatchObject({ code: 'nothing-to-approve' });
});

const answering = (answer: string) => () => Promise.resolve(answer);
const deadlineTakes = (pipelineId: string) =>
  inTransaction(own.db, (tx) =>
    decideApproval(tx, { pipelineId, node: NFC, offerId: null, now: new Date() }),
  );

test('a decision that came after another one says which it was', async () => {
  const { decide, pipelineId } = await waitingAt(NFC, async () => {
    await deadlineTakes(pipelineId);
    return 'already-decided';
  });
  await expect(decide(NFC)).rejects.toMatchObject({
    code: 'nothing-to-approve',
    message: expect.stringContaining('is rejected already'),
  });
});

test('a decision for a run that ends meanwhile is refused as such', async () => {
  const { decide } = await waitingAt(NFC, answering('ended'));
  await expect(decide(NFC)).rejects.toMatchObject({ code: 'run-ended' });
});

test('a decision that is not recorded stays wanted', async () => {
  const { decide } = await waitingAt(NFC, answering('what no run of ours says'));
  expect(await decide(NFC)).toMatchObject({ state: 'wanted' });
});

test('a decision that the run has not seen is refused, so that it is made again', async () => {
  const { decide } = await waitingAt(NFC, answering('ignored'));
  await expect(decide(NFC)).rejects.toMatchObject({ code: 'nothing-to-approve' });
});

test('a decision that is recorded is the answer, even if the run could not say so', async () => {
  const { decide } = await waitingAt(NFC, async (take) => {
    await take();
    throw new Error('the connection is gone');
  });
  expect(await decide(NFC)).toMatchObject({ state: 'approved' });
});
