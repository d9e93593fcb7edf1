import type { Language } from '../../../domain/text/languages.js';
import {
  resultContent,
  resultOf,
  rounded,
  type FinishedRun,
  type RunOutcome,
} from '../../../domain/run/result-rules.js';
import type { AgentResult } from '../../../domain/run/results.js';

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

test('a run that timed out while providers gave no answer names them and their failures', () => {
  const waiting = (name: string, ...providers: [string, string][]) => ({
    ...{ agent_name: name, node: name, until: '2026-11-24T12:00:00.000Z' },
    providers: providers.map(([provider, code]) => ({ provider, code })),
  });
  const waits = [
    waiting('a', ['openai', 'model-rate-limited'], ['google', 'model-on-hold']),
    waiting('b', ['anthropic', 'model-timeout']),
    waiting('c', ['anthropic', 'model-timeout']),
  ];
  const outcome = { kind: 'timeout' } as const;
  const { error } = result({ outcome, waits });
  expect(error).toMatch(
    /^The pipeline timed out after 12 seconds; agent a: openai: it asks to wait, /,
  );
  expect(error).toMatch(
    /google: it has failed too often .*; agents b, c: anthropic: it gave no ans/,
  );
  expect(result({ outcome, waits, language: 'ko' }).error).toMatch(
    /timed out after 12 seconds.*; 에이전트 a: openai: 호출 한도에 .*; 에이전트 b, c: anthropic: 제시간에/,
  );
  expect(result({ waits, agents: [agent()] }).error).toBeNull();
});

test('one cause that hits several agents is named once, with all their names', () => {
  const away = 'failed after 3 attempt(s), because no model answered (openai: it is away)';
  const agents = ['a', 'b', 'c'].map((name) =>
    agent({ ...failed(`agent ${name}: ${away}`), agent_name: name }),
  );
  const other = agent({ ...failed('agent d: was not approved'), agent_name: 'd' });
  expect(contentOf({ agents: [...agents, other] }, 'en')).toBe(
    `The pipeline failed: agents a, b, c: ${away}; agent d: was not approved`,
  );
  const korean = agents.map((one) => ({ ...one, error: `에이전트 ${one.agent_name}: 원인` }));
  expect(contentOf({ agents: korean }, 'ko')).toContain('에이전트 a, b, c: 원인');
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
  expect(result({ agents }).output).toMatch(/^Incomplete.*\n\nreport$/);
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

describe('what is missing', () => {
  const robots = { url: 'https://a.example/', code: 'disallowed-by-robots' } as const;
  const collector = agent({
    ...failed('collector: blocked: words of the page'),
    agent_name: 'collector',
    error_code: 'collector-blocked',
    unread_sources: [robots],
  });
  const writer = agent({ role: 'reporter', content: 'report' });
  const EN =
    'Incomplete, this is missing: collector: https://a.example/: not read, because its robots.txt does not allow it';

  test('a partial run says first, in one line, what is missing, and lists it for programs', () => {
    const ended = result({ agents: [collector, writer] });
    expect(ended.output).toBe(`${EN}\n\nreport`);
    expect(contentOf({ agents: [collector, writer] }, 'en')).toBe(ended.output);
    expect(ended.missing).toEqual([
      {
        agent: 'collector',
        reason: 'https://a.example/: not read, because its robots.txt does not allow it',
        code: 'disallowed-by-robots',
        url: 'https://a.example/',
      },
    ]);
    const korean = contentOf({ agents: [collector, writer] }, 'ko').split('\n');
    expect(korean[0]).toMatch(/^일부가 빠져 있습니다 — collector: https.*robots\.txt/);
    expect(korean.slice(1)).toEqual(['', 'report']);
  });

  test('a document by an output_schema stays one; the line stands in the message alone', () => {
    const document = agent({ role: 'reporter', content: '{"a":1}' });
    const run = { agents: [collector, document], documents: new Set([document]) };
    expect(result(run).output).toBe('{"a":1}');
    expect(result(run).missing).toHaveLength(1);
    expect(contentOf(run, 'en')).toBe(`${EN}\n\n{"a":1}`);
  });

  test('a source that a successful collector could not read is named, too', () => {
    const half = agent({ role: 'collector', unread_sources: [robots] });
    expect(result({ agents: [half, writer] })).toMatchObject({
      status: 'completed',
      output: expect.stringMatching(/^Incomplete, .*robots\.txt/),
      missing: [{ agent: 'a', code: 'disallowed-by-robots' }],
    });
  });

  test('agents that an early end has kept from starting are missing', () => {
    const run: Partial<FinishedRun> = {
      agents: [agent(), agent({ ...failed('x'), error_code: 'over-budget' })],
      outcome: { kind: 'ended', stopped: 'over-budget' },
      notStarted: ['last'],
    };
    expect(result(run).missing?.map(({ agent: name, code }) => [name, code])).toEqual([
      ['a', 'over-budget'],
      ['last', 'not-started'],
    ]);
    expect(result(run).output).toMatch(/^Incomplete, .*last: No further agent was started/);
    expect(result({ ...run, notStarted: [] }).output).toMatch(/; No further agent was started/);
  });

  test('where nothing is missing nothing is added', () => {
    const whole = result({ agents: [agent(), writer] });
    expect(whole).not.toHaveProperty('missing');
    expect(whole.output).toBe('report');
  });

  test.each(['timeout', 'cancelled'] as const)(
    'a run that ended by %s keeps its own words',
    (kind) => {
      const run = { agents: [collector, writer], outcome: { kind } };
      expect(resultContent(result(run), run.outcome, 'en')).not.toContain('Incomplete');
      expect(result(run).output).toBe('report');
    },
  );

  test('the line is one line, however names and addresses are spelled, and bounded', () => {
    const odd = Array.from({ length: 9 }, (_, at) =>
      agent({ ...failed('x'), agent_name: `n${at}\n\n# x`, error_code: 'model-empty' }),
    );
    const [line = '', blank] = result({ agents: [...odd, writer] }).output.split('\n');
    expect(line).toContain('n0 # x: failed after');
    expect(line).toContain('and 4 more');
    expect(blank).toBe('');
  });
});
