import type { Language } from '../../domain/languages.js';
import {
  resultContent,
  resultOf,
  rounded,
  type FinishedRun,
  type RunOutcome,
} from '../../domain/result-rules.js';
import type { AgentResult } from '../../domain/results.js';

function agent(fields: Partial<AgentResult> = {}): AgentResult {
  return {
    agent_name: 'a',
    role: 'analyzer',
    content: 'text',
    tokens_used: 10,
    cost_estimate: 0.1,
    duration_seconds: 1,
    status: 'success',
    error: null,
    ...fields,
  };
}

const failed = (error: string) => agent({ status: 'failed', content: '', error });

function result(fields: Partial<FinishedRun> = {}) {
  return resultOf({
    designName: 'Quick look',
    agents: [],
    outcome: { kind: 'ended' },
    durationSeconds: 12.3456,
    language: 'en',
    ...fields,
  });
}

test.each([
  ['no results', [], 'failed'],
  ['only failures', [failed('x'), failed('y')], 'failed'],
  ['a failure among successes', [agent(), failed('x')], 'partial'],
  ['successes only', [agent(), agent()], 'completed'],
])('a run that ended with %s has its status', (_, agents, status) => {
  expect(result({ agents }).status).toBe(status);
});

test.each([
  [{ kind: 'timeout' }, 'timeout'],
  [{ kind: 'cancelled' }, 'cancelled'],
  [{ kind: 'internal' }, 'failed'],
  [{ kind: 'unbuildable', reason: 'no agents' }, 'failed'],
] as const)('the outcome %j ends as %s and keeps what had finished', (outcome, status) => {
  const ended = result({ agents: [agent()], outcome });
  expect(ended.status).toBe(status);
  expect(ended).toMatchObject({ total_cost: 0.1, total_tokens: 10, output: 'text' });
});

test('sums are exact to 6 decimals, the duration to 2', () => {
  const ended = result({ agents: [agent(), agent({ cost_estimate: 0.2 })] });
  expect(ended).toMatchObject({ total_cost: 0.3, total_tokens: 20, total_duration: 12.35 });
});

test('rounding is half up in decimals, not in binary', () => {
  expect(rounded(1.005, 2)).toBe(1.01);
  expect(rounded(0.0000005, 6)).toBe(0.000001);
  expect(rounded(2.675, 2)).toBe(2.68);
  expect(rounded(0, 2)).toBe(0);
});

test('the output is that of the last successful reporter or synthesizer', () => {
  const agents = [
    agent({ role: 'synthesizer', content: 'synthesis' }),
    agent({ role: 'reporter', content: 'report' }),
    agent({ content: 'later' }),
    agent({ role: 'reporter', content: '', status: 'failed', error: 'x' }),
  ];
  expect(result({ agents }).output).toBe('report');
  expect(result({ agents: agents.filter(({ role }) => role === 'analyzer') }).output).toBe('later');
  expect(result({ agents: [failed('x')] }).output).toBe('');
});

test("all agents' errors are joined; without any there is none", () => {
  expect(result({ agents: [failed('x'), agent(), failed('y')] }).error).toBe('x; y');
  expect(result({ agents: [agent()] }).error).toBeNull();
});

test.each(['en', 'ko'] as const)(
  'errors of a run keep the words clients look for (%s)',
  (language) => {
    const errorOf = (outcome: FinishedRun['outcome']) =>
      result({ outcome, language, durationSeconds: 300.01 }).error;
    expect(errorOf({ kind: 'timeout' })).toContain('timed out');
    expect(errorOf({ kind: 'timeout' })).toContain('300');
    expect(errorOf({ kind: 'unbuildable', reason: 'Cycle detected' })).toContain('Cycle detected');
    expect(errorOf({ kind: 'internal' })).toContain('internal error');
  },
);

test('the content of a success is its output, or says that it has finished', () => {
  expect(contentOf({ agents: [agent()] }, 'en')).toBe('text');
  const silent = { agents: [agent({ content: '' })] };
  expect(contentOf(silent, 'en')).toBe('The pipeline has finished.');
  expect(contentOf(silent, 'ko')).toContain('완료');
});

test('the content of a failure says so, and never that it has finished', () => {
  const ended = { agents: [failed('model unavailable')] };
  expect(contentOf(ended, 'en')).toBe('The pipeline failed: model unavailable');
  expect(contentOf(ended, 'ko')).toContain('실패');
  expect(contentOf({}, 'en')).toBe('The pipeline failed.');
});

test.each<[RunOutcome, string, RegExp]>([
  [{ kind: 'timeout' }, 'The pipeline timed out after 12 seconds.', /초과.*timed out/],
  [
    { kind: 'unbuildable', reason: 'Cycle detected among: a' },
    'The pipeline could not be built: Cycle detected among: a',
    /만들 수 없습니다/,
  ],
  [{ kind: 'internal' }, 'The pipeline failed because of an internal error.', /내부 오류/],
])('a run that ended by %j says so once, in one sentence', (outcome, english, korean) => {
  expect(contentOf({ outcome }, 'en')).toBe(english);
  expect(contentOf({ outcome }, 'ko')).toMatch(korean);
});

test('what had ended before the time was over is kept, and the content says so', () => {
  const late = { agents: [agent()], outcome: { kind: 'timeout' } } as const;
  expect(contentOf(late, 'en')).toMatch(/timed out after 12 seconds\. What had finished .* kept/);
  expect(contentOf(late, 'ko')).toContain('보관');
});

test('the content of a cancelled run says so', () => {
  const ended = { agents: [agent()], outcome: { kind: 'cancelled' } } as const;
  expect(contentOf(ended, 'en')).toContain('cancelled');
  expect(contentOf(ended, 'ko')).toContain('취소');
});

function contentOf(fields: Partial<FinishedRun>, language: Language): string {
  const { outcome = { kind: 'ended' } } = fields;
  return resultContent(result({ ...fields, language }), outcome, language);
}
