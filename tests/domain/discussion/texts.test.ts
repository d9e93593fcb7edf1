import { discussionTexts } from '../../../domain/discussion/texts.js';

const ko = discussionTexts('ko');
const en = discussionTexts('en');

test('the Korean texts hold the words that clients look for', () => {
  expect(ko.clarification).toContain('몇 가지 질문');
  expect(ko.restarted.content).toContain('몇 가지 질문');
  expect(ko.designsPresented(3)).toContain('설계안');
  expect(ko.designsPresented(3)).toContain('3');
  expect(ko.chooseNow).toContain('선택');
  expect(ko.securityWarning).toContain('보안 위험');
});

test.each([ko, en])('money is shown as spent and limit with two decimals', (texts) => {
  expect(texts.errors.overBudget({ spent: 1.0249, limit: 1 })).toContain('$1.02/$1.00');
  expect(texts.errors.overBudget({ spent: 0, limit: 50 })).toContain('$0.00/$50.00');
});

function wordings(texts: object): string[] {
  return Object.values(texts).flatMap((value: unknown) => {
    if (typeof value === 'function') {
      return [String(value({ spent: 1, limit: 1 }))];
    }
    return typeof value === 'string' ? [value] : wordings(value as object);
  });
}

test('each wording is in its language and not empty', () => {
  expect(wordings(ko).every((text) => /[가-힣]/.test(text))).toBe(true);
  expect(wordings(en).every((text) => text !== '' && !/[가-힣]/.test(text))).toBe(true);
  expect(wordings(en)).toHaveLength(wordings(ko).length);
});

test.each([ko, en])('what a user may send is named in the texts', (texts) => {
  expect(texts.critiqueComplete).toMatch(/"계속"|"continue"/);
  expect(texts.chooseOrChange).toMatch(/번호나 이름.*바꾸고|number or name.*change/);
  expect(texts.chooseNow).toMatch(/번호나 이름|number or name/);
  expect(texts.chooseNow).not.toMatch(/바꾸|change/);
  expect(texts.tryAgainHint).toMatch(/다시 실행|run it again/);
  expect(texts.errors.pipelineRunning).toMatch(/취소|cancel/);
  expect(texts.remarks['try-again-hint']).toContain(texts.tryAgainHint);
});
