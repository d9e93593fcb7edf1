/** What operators read in the Temporal Web UI. */
import type { NodeResult } from '../../activities/node/result.js';
import { isTold, type FailedAttempt } from '../../domain/run/failed-attempts.js';
import { checkGraph } from '../../domain/run/pipeline.js';
import { recordEnd, recordHold, recordStart, startRun } from '../../domain/run/pipeline-run.js';
import { summaryOf } from '../../domain/run/summaries.js';
import { startDiscussionState, type DiscussionState } from '../../domain/discussion/state.js';
import {
  detailsOf as discussionDetails,
  finalDetailsOf as discussionEnd,
  type DiscussionSnapshot,
} from '../../workflows/discussion/details.js';
import type { DiscussionInput } from '../../workflows/discussion/discussion.messages.js';
import {
  closingDetails,
  detailsOf,
  finalDetailsOf,
  OPENING_DETAILS,
} from '../../workflows/pipeline/details.js';
import { plain } from '../../workflows/markdown.js';
import type { RunProgress } from '../../workflows/pipeline/view.js';
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
    ...{ run, state, spentUsd: 0, hold: null, waitingFor: null, waitingSinceMs: NOON, round: 0 },
    ...{ results: new Map(), begun: new Map(), failing: new Map(), questions: new Map() },
    inbox: { pausedSinceMs: null },
    ...fields,
  };
}

function resultOf(node: string, fields: Partial<NodeResult> = {}): NodeResult {
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

function end(progress: RunProgress, result: NodeResult): void {
  progress.state = recordEnd(progress.run.graph, progress.state, result);
  progress.results.set(result.node, result);
}

const rowsOf = (details: string) =>
  details
    .replaceAll('\u00a0', '')
    .split('\n')
    .filter((line) => line.startsWith('|'));
const headOf = (details: string) => details.split('\n')[0];

test('a run is described node by node: state, model, attempts, money, duration', () => {
  const progress = progressOf(['reader', 'writer', 'last']);
  begin(progress, 'reader');
  end(progress, resultOf('reader'));
  begin(progress, 'writer');
  expect(rowsOf(detailsOf(progress))).toEqual([
    '| Node | State | Vendor | Model | Attempts | Money | Duration |',
    '| --- | --- | --- | --- | --- | --- | --- |',
    '| reader | success | openai | gpt-4o | 2 | $0.000123 | 1.50 s |',
    '| writer | running | – | gpt-4o-mini wanted | 1 | – | since 12:00:00 UTC |',
    '| last | waiting | – | – | – | – | – |',
  ]);
  expect(headOf(detailsOf(progress))).toBe('**Nothing to do:** writer at work since 12:00:00 UTC.');
});

test('a result of an older version, which has no attempts, is shown without', () => {
  const progress = progressOf(['reader']);
  const { attempts: _attempts, ...older } = resultOf('reader');
  begin(progress, 'reader');
  end(progress, older);
  expect(rowsOf(detailsOf(progress)).at(-1)).toContain('| gpt-4o | – |');
});

test('a failed node is followed by what to do about it', () => {
  const progress = progressOf(['reader']);
  begin(progress, 'reader');
  end(progress, resultOf('reader', { status: 'failed', errorCode: 'model-key-refused' }));
  expect(detailsOf(progress)).toContain(
    '- **reader** model-key-refused: Let the user replace the vendor key',
  );
});

const FAILED: FailedAttempt = {
  ...{ activity: 'runAgent', node: 'writer', attempt: 3, code: 'model-unavailable' },
  advice: 'Nothing to do yet: the vendor does not answer properly.',
  asked: [
    { vendor: 'openai', model: 'gpt-4o', code: 'model-timeout' },
    { vendor: 'anthropic', model: 'claude-sonnet-4-5', code: 'model-unavailable' },
  ],
  ...{ failedAtMs: NOON + 1_000, nextAtMs: NOON + 9_000 },
};

describe('while an agent fails and is tried again', () => {
  function failing(names: readonly string[], attempts: Readonly<Record<string, number>>) {
    const progress = progressOf(names);
    names.forEach((name) => {
      begin(progress, name);
    });
    Object.entries(attempts).forEach(([node, attempt]) =>
      progress.failing.set(node, { ...FAILED, node, attempt }),
    );
    return progress;
  }

  test('the first line says what goes wrong, with whom, how often, and when it is tried again', () => {
    expect(headOf(detailsOf(failing(['writer'], { writer: 3 })))).toBe(
      '**writer fails: openai gpt-4o: model-timeout, anthropic claude-sonnet-4-5: model-unavailable.** Attempt 3 failed at 12:00:01 UTC, attempt 4 begins at 12:00:09 UTC. Nothing to do yet: the vendor does not answer properly.',
    );
  });

  test('its row names vendor, model and attempt', () => {
    expect(rowsOf(detailsOf(failing(['writer'], { writer: 3 }))).at(-1)).toBe(
      '| writer | running | anthropic | claude-sonnet-4-5 | 4 | – | since 12:00:00 UTC |',
    );
  });

  test('the one that has failed most often comes first, and who works is named, too', () => {
    const head = headOf(detailsOf(failing(['one', 'two', 'three'], { one: 1, two: 5 }))) ?? '';
    expect(head.indexOf('two fails')).toBeLessThan(head.indexOf('one fails'));
    expect(head).toContain('three at work.');
  });

  test('a store that is away is named, where no provider was asked', () => {
    const progress = failing(['writer'], {});
    progress.failing.set('writer', { ...FAILED, asked: [], code: 'unavailable' });
    expect(headOf(detailsOf(progress))).toContain('**writer fails: unavailable.** Attempt 3');
  });

  test('an agent that has ended since then fails no more', () => {
    const progress = failing(['writer'], { writer: 3 });
    end(progress, resultOf('writer'));
    expect(headOf(detailsOf(progress))).not.toContain('fails');
  });

  test('of very many attempts only some are listed, and the line says so', () => {
    expect(Array.from({ length: 70 }, (_, index) => index + 1).filter(isTold)).toEqual([
      ...[1, 2, 3, 4, 5, 6, 7, 8, 9, 10],
      ...[16, 32, 64],
    ]);
    const often = headOf(detailsOf(failing(['writer'], { writer: 16 })));
    expect(often).toContain('Not each attempt is listed');
  });
});

const UNTIL = 'since 2026-11-24 12:00:00 UTC';

test.each([
  ['budget', "Raise the owner's budget, or wait until 2026-11-25 00:00:09 UTC", 'goes on'],
  ['pause', 'Resume it when its owner agrees', 'without an end, until it is resumed or cancelled'],
  ['slot', "Nothing to do, or end the owner's other run", 'until the other run ends or waits'],
] as const)(
  'the first line of a run that waits for its %s says what to do, who waits, since and until when, and what then',
  (reason, words, then) => {
    const hold = { changes: 0, untilMs: Date.UTC(2026, 10, 25, 0, 0, 9) };
    const head = headOf(detailsOf(progressOf(['reader'], { waitingFor: reason, hold })));
    expect(head).toContain(words);
    expect(head).toContain('user `u`');
    expect(head).toContain(UNTIL);
    expect(head).toContain(then);
  },
);

describe('a run that waits for a person', () => {
  function asking(fields: Partial<RunProgress> = {}) {
    const progress = progressOf(['reader', 'writer'], fields);
    progress.state = recordHold(progress.run.graph, progress.state, 'reader');
    const deadlineMs = Date.UTC(2026, 11, 1, 12);
    progress.questions.set('reader', { sinceMs: NOON, deadlineMs, onTimeout: 'reject' });
    return progress;
  }
  const QUESTION =
    'reader since 2026-11-24 12:00:00 UTC until 2026-12-01 12:00:00 UTC (then it counts as rejected)';

  test('names the nodes, the owner, since when and until when, and what then', () => {
    expect(headOf(detailsOf(asking({ waitingFor: 'approval' })))).toBe(
      `**Ask its owner to decide about reader:** user \`u\` is asked about ${QUESTION}.`,
    );
  });

  test('says so also while others are at work, and that it is paused', () => {
    const progress = asking({ inbox: { pausedSinceMs: NOON } });
    begin(progress, 'writer');
    expect(headOf(detailsOf(progress))).toBe(
      `**Nothing to do:** writer at work since 12:00:00 UTC. Its owner has paused it at 2026-11-24 12:00:00 UTC: nothing else begins. Its owner is also asked about ${QUESTION}.`,
    );
  });
});

test('between two steps, while it is opened and while its end is recorded a run names the store', () => {
  const progress = progressOf(['reader', 'writer']);
  expect(OPENING_DETAILS).toMatch(/being opened\. If this lasts, look at PostgreSQL/);
  expect(headOf(detailsOf(progress))).toMatch(
    /between two steps\. If this lasts, look at PostgreSQL/,
  );
  const closing = closingDetails(progress);
  expect(headOf(closing)).toMatch(/its end is being recorded\. If this lasts, look at PostgreSQL/);
  expect(rowsOf(closing)).toHaveLength(4);
  expect(closing).not.toContain('request a cancellation');
});

test('only a run that has not ended says how to stop it', () => {
  const progress = progressOf(['reader', 'writer']);
  begin(progress, 'reader');
  expect(detailsOf(progress)).toContain('request a cancellation');
  const ended = { pipelineId: 'p', status: 'cancelled', totalCostUsd: 0 } as const;
  const details = finalDetailsOf(ended, { kind: 'cancelled' }, progress);
  expect(details).not.toContain('request a cancellation');
  expect(rowsOf(details).slice(2)).toEqual([
    expect.stringContaining('| reader | cut off |'),
    expect.stringContaining('| writer | not begun |'),
  ]);
});

test('a failed agent names whom it has asked', () => {
  const progress = progressOf(['reader']);
  begin(progress, 'reader');
  const asked = [{ vendor: 'openai', model: 'gpt-4o', code: 'model-key-refused' as const }];
  end(progress, {
    ...resultOf('reader', { status: 'failed', errorCode: 'model-key-refused' }),
    ...{ provider: null, model: null, asked },
  });
  expect(detailsOf(progress)).toContain(
    '- **reader** model-key-refused (openai gpt-4o): Let the user replace',
  );
  expect(rowsOf(detailsOf(progress)).at(-1)).toContain('| reader | failed | openai | gpt-4o |');
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
  expect(rowsOf(details)).toHaveLength(rowsOf(detailsOf(progress)).length);
});

test('the first line of a run that failed is the advice for its first failure', () => {
  const progress = progressOf(['reader', 'writer']);
  begin(progress, 'reader');
  end(progress, resultOf('reader', { status: 'failed', errorCode: 'model-unpriced' }));
  const ended = { pipelineId: 'p', status: 'failed', totalCostUsd: 0 } as const;
  expect(headOf(finalDetailsOf(ended, { kind: 'ended' }, progress))).toBe(
    '**Ended: failed.** **reader** model-unpriced: Add the model with its price to the model list: without one it is not called.',
  );
});

test('a run that never began is described by its first line alone', () => {
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
    idleMs: 3_600_000,
    maxHistoryEvents: 200,
  };
  const shown = (
    discussionState: DiscussionState,
    workingSince: number | null = null,
    more: Partial<DiscussionSnapshot> = {},
  ) =>
    discussionDetails(input, {
      ...{
        talk: discussionState,
        waitingMessages: 3,
        workingSince,
        changedAtMs: NOON,
        failing: null,
      },
      ...more,
    });

  test('is described whole in each run: its owner, its state, its activity', () => {
    const details = shown(startDiscussionState('en'), NOON);
    expect(headOf(details)).toBe('**Nothing to do:** answering since 2026-11-24 12:00:00 UTC.');
    expect(details).toContain('**Conversation** `c`');
    expect(details).toContain('**User** `u` (pro when it began)');
    expect(details).toContain('**Messages waiting** 3');
    expect(details).toContain('**Run** none yet');
  });

  test('that waits says for whom, since when, until when, and what then', () => {
    expect(headOf(shown(startDiscussionState('en')))).toBe(
      '**Nothing to do:** it waits for the next message of user `u` since 2026-11-24 12:00:00 UTC; without one it falls asleep at 2026-11-24 13:00:00 UTC, and the next message wakes it.',
    );
  });

  test('says first what goes wrong while a call is tried again', () => {
    const failing = {
      ...{ ...FAILED, activity: 'takeTurn', node: null },
      call: 'understand the request',
    };
    expect(headOf(shown(startDiscussionState('en'), NOON, { failing }))).toMatch(
      /^\*\*understand the request fails: openai gpt-4o: model-timeout, .*Attempt 3 failed at 12:00:01 UTC, attempt 4 begins at 12:00:09 UTC\. Nothing to do yet/,
    );
  });

  test.each(['asleep', 'continued', 'cancelled'] as const)(
    'that is %s does not say how to end it',
    (how) => {
      expect(shown(startDiscussionState('en'))).toContain('request a cancellation');
      const details = discussionEnd(input, how, NOON);
      expect(details).not.toContain('request a cancellation');
      expect(details).toContain('2026-11-24 12:00:00 UTC');
    },
  );

  test('names its designs and its run', () => {
    const run = { kind: 'admitted', pipelineId: 'r', ended: false } as const;
    const designs = [designOf(['a', 'b'])];
    const details = shown({
      ...startDiscussionState('en'),
      designs,
      selected: designs[0] ?? null,
      run,
    });
    expect(headOf(details)).toContain('its run is under way; look at `pipeline-r`');
    expect(details).toContain('`pipeline-r`, under way');
    expect(rowsOf(details).at(-1)).toBe('| Quick look | 2 | yes |');
  });

  test('says why its run was refused', () => {
    const run = {
      kind: 'refused',
      refusal: { kind: 'refused', code: 'pipelines-per-day' },
    } as const;
    expect(shown({ ...startDiscussionState('en'), run })).toContain('refused: pipelines-per-day');
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
