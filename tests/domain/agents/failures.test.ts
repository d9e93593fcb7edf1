import { agentFailureText } from '../../../domain/agents/failures.js';

const failure = { agentName: 'a', code: 'over-budget' } as const;

test('a call that does not fit says whose limit it is', () => {
  expect(agentFailureText(failure, 'en')).toMatch(/the daily cost limit/);
  expect(agentFailureText({ ...failure, isServerKeySpent: true }, 'en')).toMatch(
    /server's LLM key/,
  );
  expect(agentFailureText({ ...failure, isServerKeySpent: true }, 'ko')).toMatch(/서버의 LLM 키/);
});

test.each(['model-unavailable', 'model-rate-limited', 'model-timeout'])(
  'that no model answered names the vendor and its last failure: %s',
  (code) => {
    const cause = { code, provider: 'anthropic' } as const;
    const failure = { agentName: 'a', code: 'attempts-exhausted', attempts: 3, cause } as const;
    expect(agentFailureText(failure, 'en')).toMatch(
      /3 attempt.*no model answered \(anthropic: it /,
    );
    expect(agentFailureText(failure, 'ko')).toMatch(
      /\(failed after 3 attempt\(s\)\) \(anthropic: /,
    );
    expect(agentFailureText({ ...failure, cause: null }, 'en')).toMatch(/no model answered$/);
  },
);

test('a vendor that is away is left alone for a minute, and the text says so', () => {
  const cause = { code: 'model-unavailable', provider: 'openai' } as const;
  const failure = { agentName: 'a', code: 'attempts-exhausted', attempts: 3, cause } as const;
  expect(agentFailureText(failure, 'en')).toContain('try again in a minute');
  expect(agentFailureText(failure, 'ko')).toContain('1분 뒤에 다시 시도해 주세요');
});
