/** Histories of discussions as today's workflow and activities make them. */
import { Worker, type WorkflowBundleOption } from '@temporalio/worker';
import { decisionSinks } from '../../audit/replay.js';
import {
  openDiscussion,
  type DiscussionOptions,
  type DiscussionFixture,
  type Discussions,
} from './discussion-fixture.js';
import { until } from './until.js';
import { FIXTURE_CODE } from './workflow-fixture.js';

export interface TestHistories {
  readonly workflowId: string;
  /** One for each run in Temporal, in order. */
  readonly histories: readonly unknown[];
}

/**
 * Sends message after message, each when the one before is answered, and waits for a quiet moment.
 *
 * @param look called after each answer
 */
export async function playDiscussion(
  discussions: Discussions,
  messages: readonly string[],
  {
    look = () => Promise.resolve(),
    ...options
  }: DiscussionOptions & { look?: (discussion: DiscussionFixture) => Promise<unknown> } = {},
): Promise<TestHistories> {
  const discussion = await openDiscussion(discussions, { stored: null, ...options });
  const runs = new Set<string>();
  const note = async () => {
    const { runId } = await discussion.handle().describe();
    runs.add(runId);
    return runId;
  };
  for (const content of messages) {
    const before = (await discussion.events()).length;
    await discussion.send(content);
    await discussion.eventsAfter(before + 2);
    await note();
    await look(discussion);
  }
  const last = await note();
  await until('it begins a new history', async () => (await note()) !== last);
  const ids = [...runs].slice(0, -1);
  const histories = await Promise.all(ids.map((id) => discussion.historyOf(id)));
  return { workflowId: discussion.workflowId, histories };
}

/** @returns messages of turns that are decided otherwise than recorded. @throws DeterminismViolationError */
export async function replayPlayed(
  { workflowId, histories }: TestHistories,
  workflowBundle: WorkflowBundleOption,
): Promise<readonly string[]> {
  const differing: string[] = [];
  const sinks = decisionSinks(({ messageId }) => void differing.push(messageId));
  const options = { ...FIXTURE_CODE, workflowBundle, sinks };
  for (const history of histories) {
    await Worker.runReplayHistory(options, history, workflowId);
  }
  return differing;
}
