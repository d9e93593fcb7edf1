import { agentFailureText } from '../../domain/agent-failures.js';

const failure = { agentName: 'a', code: 'over-budget' } as const;

test('a call that does not fit says whose limit it is', () => {
  expect(agentFailureText(failure, 'en')).toMatch(/the daily cost limit/);
  expect(agentFailureText({ ...failure, isServerKeySpent: true }, 'en')).toMatch(
    /server's LLM key/,
  );
  expect(agentFailureText({ ...failure, isServerKeySpent: true }, 'ko')).toMatch(/서버의 LLM 키/);
});
