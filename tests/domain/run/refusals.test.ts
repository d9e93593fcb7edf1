import { refusalError, refusalText, type Refusal } from '../../../domain/run/refusals.js';

const REFUSALS: readonly (readonly [Refusal, RegExp, RegExp, RegExp])[] = [
  [
    { kind: 'refused', code: 'over-budget', spentUsd: 1.024, limitUsd: 1 },
    /cost limit.*\$1\.02\/\$1\.00/,
    /cost limit.*\$1\.02\/\$1\.00/,
    /비용 한도.*\$1\.02\/\$1\.00/,
  ],
  [
    { kind: 'refused', code: 'over-budget', isServerKeySpent: true },
    /cost limit.*key of your own/,
    /server's LLM keys.*cost limit/,
    /서버의 LLM 키/,
  ],
  [{ kind: 'refused', code: 'over-budget' }, /\$0\.00/, /\$0\.00/, /\$0\.00/],
  [
    { kind: 'refused', code: 'pipeline-running' },
    /already running/,
    /already running/,
    /이미 실행 중/,
  ],
  [
    {
      ...{ kind: 'refused', code: 'pipeline-waiting' },
      waiting: { pipelineId: 'run-1', designName: 'Quick look', waitingFor: 'approval' },
    },
    /^The run "Quick look" \(run-1\) .*: waiting for approval\. Cancel it/,
    /^The pipeline "Quick look" \(run-1\) .*: it waits for an approval\..*"cancel"/,
    /"Quick look"\(run-1\).*승인을 기다리고.*"취소"/,
  ],
  [{ kind: 'refused', code: 'pipelines-per-day' }, /limit/, /for today/, /오늘/],
  [{ kind: 'refused', code: 'no-llm-key' }, /not configured/, /No LLM API key/, /키가 없어요/],
  [
    { kind: 'refused', code: 'llm-key-unreadable' },
    /register it again/,
    /register it again/,
    /다시 등록/,
  ],
];

test.each(REFUSALS)('%j says why, over HTTP and in both languages', (...row) => {
  const [refusal, overHttp, english, korean] = row;
  expect(refusalError(refusal)).toMatchObject({
    code: refusal.code,
    message: expect.stringMatching(overHttp),
  });
  expect(refusalText(refusal, 'en')).toMatch(english);
  expect(refusalText(refusal, 'en')).toMatch(/"run it again"\.$/);
  expect(refusalText(refusal, 'ko')).toMatch(korean);
  expect(refusalText(refusal, 'ko')).toMatch(/"다시 실행"이라고 보내 주세요\.$/);
});

test('a refused re-run that would mix simulated and real answers says how to avoid it', () => {
  const refusal = { kind: 'refused', code: 'rerun-mixes-models' } as const;
  expect(refusalError(refusal).message).toContain('re-run all of it');
});

test('where another conversation’s run blocks, the text does not offer to cancel it', () => {
  const refusal = { kind: 'refused', code: 'pipeline-running' } as const;
  expect(refusalText(refusal, 'en')).not.toContain('cancel');
  expect(refusalText(refusal, 'ko')).not.toContain('취소');
});
