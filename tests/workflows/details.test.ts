/** What operators read in the Temporal Web UI. */
import type { AgentReceipt } from '../../activities/agents.js';
import { checkGraph } from '../../domain/pipeline.js';
import { recordEnd, recordHold, recordStart, startRun } from '../../domain/pipeline-run.js';
import { summaryOf } from '../../domain/summaries.js';
import { startTalk, type Talk } from '../../domain/talk.js';
import { detailsOf as discussionDetails } from '../../workflows/discussion-details.js';
import type { DiscussionInput } from '../../workflows/discussion.messages.js';
import { detailsOf, finalDetailsOf } from '../../workflows/pipeline-details.js';
import { plain } from '../../workflows/markdown.js';
import type { RunProgress } from '../../workflows/pipeline-view.js';
import { agentOf, designOf } from '../support/designs.js';

const NOON = Date.UTC(2026, 10, 24, 12);

function progressOf(names: readonly string[], fields: Partial<RunProgress> = {}): RunProgress {
  const design = designOf(names.map((name) => agentOf(name)));
  const checked = checkGraph(design);
  if (checked.kind !== 'graph') {
    throw new Error(checked.reason);
  }
  const { graph } = checked;
  const ids = { pipelineId: 'p', userId: 'u', conversationId: null };
  const limits = { timeoutMs: 300_000, modelTimeoutMs: 120_000 };
  const run = { ...ids, graph, designName: 'Quick look', simulated: false, ...limits };
  const state = startRun(graph);
  return {
    ...{ run, state, spentUsd: 0, hold: null, waitingFor: null, round: 0 },
    ...{ receipts: new Map(), begun: new Map() },
    ...fields,
  };
}

function receiptOf(node: string, fields: Partial<AgentReceipt> = {}): AgentReceipt {
  return {
    ...{ node, status: 'success', errorCode: null, tokensUsed: 12, costUsd: 0.000_123 },
    ...{ durationSeconds: 1.5, provider: 'openai', model: 'gpt-4o', attempts: 2 },
    ...{ fields: {}, preview: '' },
    ...fields,
  };
}

function begin(progress: RunProgress, node: string): void {
  progress.state = recordStart(progress.run.graph, progress.state, node);
  progress.begun.set(node, NOON);
}

function end(progress: RunProgress, receipt: AgentReceipt): void {
  progress.state = recordEnd(progress.run.graph, progress.state, receipt);
  progress.receipts.set(receipt.node, receipt);
}

const rowsOf = (details: string) =>
  details
    .replaceAll('\u00a0', '')
    .split('\n')
    .filter((line) => line.startsWith('|'));
const headOf = (details: string) => details.split('\n')[0];

test('a run is told node by node: state, model, attempts, money, duration', () => {
  const progress = progressOf(['reader', 'writer', 'last']);
  begin(progress, 'reader');
  end(progress, receiptOf('reader'));
  begin(progress, 'writer');
  expect(rowsOf(detailsOf(progress))).toEqual([
    '| Node | State | Model | Attempts | Money | Duration |',
    '| --- | --- | --- | --- | --- | --- |',
    '| reader | success | gpt-4o | 2 | $0.000123 | 1.50 s |',
    '| writer | running | – | – | – | since 12:00:00 UTC |',
    '| last | waiting | – | – | – | – |',
  ]);
  expect(headOf(detailsOf(progress))).toBe('**Nothing to do:** writer at work.');
});

test('a receipt of an older version, which does not tell its attempts, is shown without', () => {
  const progress = progressOf(['reader']);
  const { attempts: _attempts, ...older } = receiptOf('reader');
  begin(progress, 'reader');
  end(progress, older);
  expect(rowsOf(detailsOf(progress)).at(-1)).toContain('| gpt-4o | – |');
});

test('a failed node is followed by what to do about it', () => {
  const progress = progressOf(['reader']);
  begin(progress, 'reader');
  end(progress, receiptOf('reader', { status: 'failed', errorCode: 'model-key-refused' }));
  expect(detailsOf(progress)).toContain(
    '- **reader** model-key-refused: Let the user replace the vendor key',
  );
});

test.each([
  ['budget', "Raise the owner's budget, or wait until 2026-11-24 12:00:00 UTC"],
  ['pause', 'Resume it'],
  ['slot', "Nothing to do, or end the owner's other run"],
] as const)('the first line of a run that waits for its %s says what to do', (reason, words) => {
  const hold = { changes: 0, untilMs: NOON };
  expect(headOf(detailsOf(progressOf(['reader'], { waitingFor: reason, hold })))).toContain(words);
});

test('the first line of a run that waits for a person names the nodes', () => {
  const progress = progressOf(['reader', 'writer'], { waitingFor: 'approval' });
  progress.state = recordHold(progress.run.graph, progress.state, 'reader');
  expect(headOf(detailsOf(progress))).toBe(
    '**Ask its owner to decide about reader: the run waits for an approval.**',
  );
});

test.each([
  [{ kind: 'timeout' }, 'timeout', 'raise PIPELINE_TIMEOUT_SECONDS'],
  [{ kind: 'internal' }, 'failed', "Look into the worker's log"],
  [{ kind: 'unbuildable', reason: '' }, 'failed', 'Tell its owner to mend the design'],
  [{ kind: 'ended', stopped: 'over-budget' }, 'partial', 'Stopped early: over-budget'],
] as const)('the first line of a run that ended so says so: %j', (outcome, status, words) => {
  const progress = progressOf(['reader']);
  const details = finalDetailsOf({ pipelineId: 'p', status, totalCostUsd: 0 }, outcome, progress);
  expect(headOf(details)).toContain(`**Ended: ${status}.**`);
  expect(headOf(details)).toContain(words);
  expect(rowsOf(details)).toEqual(rowsOf(detailsOf(progress)));
});

test('the first line of a run that failed is the advice for its first failure', () => {
  const progress = progressOf(['reader', 'writer']);
  begin(progress, 'reader');
  end(progress, receiptOf('reader', { status: 'failed', errorCode: 'model-unpriced' }));
  const ended = { pipelineId: 'p', status: 'failed', totalCostUsd: 0 } as const;
  expect(headOf(finalDetailsOf(ended, { kind: 'ended' }, progress))).toBe(
    '**Ended: failed.** **reader** model-unpriced: Add the model with its price to the model list: without one it is not called.',
  );
});

test('a run that never began is told by its first line alone', () => {
  const end = { pipelineId: 'p', status: 'failed', totalCostUsd: 0 } as const;
  const details = finalDetailsOf(end, { kind: 'unbuildable', reason: 'x' }, null);
  expect(details.split('\n')).toHaveLength(1);
});

test('names of users and models cannot leave their cell, nor become links or tags', () => {
  const name = 'a|b\n[x](http://y) <img src=z>';
  const progress = progressOf(['reader']);
  const run = { ...progress.run, designName: name };
  const details = detailsOf({ ...progress, run });
  expect(details).not.toMatch(/(?<!\\)[[<]|(?<!\\)\|b/);
  expect(details.split('\n\n')[1]).toContain('a\\|b \\[x\\]\\(http:\u2060//y\\)');
});

describe('a discussion', () => {
  const input: DiscussionInput = {
    conversationId: 'c',
    userId: 'u',
    role: 'pro',
    idleMs: 1,
    maxHistoryEvents: 200,
  };
  const shown = (talk: Talk, workingSince: number | null = null) =>
    discussionDetails(input, { talk, waitingMessages: 3, workingSince });

  test('is told whole in each run: whose it is, where it stands, what it does', () => {
    const details = shown(startTalk('en'), NOON);
    expect(headOf(details)).toBe('**Nothing to do:** answering since 2026-11-24 12:00:00 UTC.');
    expect(details).toContain('**Conversation** `c`');
    expect(details).toContain('**User** `u` (pro when it began)');
    expect(details).toContain('**Messages waiting** 3');
    expect(details).toContain('**Run** none yet');
  });

  test('names its designs and its run', () => {
    const run = { kind: 'admitted', pipelineId: 'r', ended: false } as const;
    const designs = [designOf(['a', 'b'])];
    const details = shown({ ...startTalk('en'), designs, selected: designs[0] ?? null, run });
    expect(headOf(details)).toContain('its run is under way');
    expect(details).toContain('`pipeline-r`, under way');
    expect(rowsOf(details).at(-1)).toBe('| Quick look | 2 | yes |');
  });

  test('tells why its run was refused', () => {
    const run = {
      kind: 'refused',
      refusal: { kind: 'refused', code: 'pipelines-per-day' },
    } as const;
    expect(shown({ ...startTalk('en'), run })).toContain('refused: pipelines-per-day');
  });
});

test.each(['https://evil.example', 'www.evil.example', 'WWW.evil.example', 'a@evil.example'])(
  'Markdown makes no link of %s',
  (text) => {
    expect(plain(text)).not.toMatch(/:\/\/|www\.|\w@/i);
    expect(plain(text).replaceAll('\u2060', '')).toBe(text);
  },
);

test.each([
  ['reporter: writer', 'reporter: writer'],
  ['two\nlines "quoted"', 'two lines quoted '],
  ['x'.repeat(200), `${'x'.repeat(120)}…`],
  ['가'.repeat(200), `${'가'.repeat(40)}…`],
  ['😀'.repeat(200), `${'😀'.repeat(30)}…`],
])('a summary is one line of a bounded size: %j', (text, summary) => {
  expect(summaryOf(text)).toBe(summary);
});
