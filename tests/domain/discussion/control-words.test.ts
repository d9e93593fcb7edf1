import fc from 'fast-check';
import { controlWordOf } from '../../../domain/discussion/control-words.js';

test.each([
  '취소',
  '취소해',
  '취소해줘',
  ' 취소해 주세요. ',
  '실행 취소',
  '중단해 줘!',
  '멈춰',
  '그만',
  '취소할래요',
  '취소 부탁드려요',
  'stop now',
  'cancel my run',
  'cancel',
  'Cancel!',
  'CANCEL IT',
  'cancel the run',
  'please cancel',
  'Cancel, please.',
  'stop',
  'Stop it',
  'ｃａｎｃｅｌ',
  'can\u200bcel',
])('"%s" cancels', (text) => {
  expect(controlWordOf(text)).toBe('cancel');
});

test('what only begins like a command, for more than a hundred characters, is none', () => {
  expect(controlWordOf(`cancel${'!'.repeat(94)}`)).toBe('cancel');
  expect(controlWordOf(`cancel${'!'.repeat(95)}`)).toBeNull();
});

test.each([
  '처음부터',
  '처음부터 다시',
  '처음부터 다시 시작해 주세요',
  '다시 시작',
  '다시 시작해줘',
  '재시작',
  '초기화',
  '새로 시작',
  '처음부터 다시 할게요',
  'restart',
  'Restart.',
  'start over',
  "let's start over!",
  'start from scratch',
  'begin again',
])('"%s" restarts', (text) => {
  expect(controlWordOf(text)).toBe('restart');
});

test.each([
  '다시 실행',
  '다시 실행해줘',
  '다시 한번 실행해 주세요',
  '다시 실행 부탁드려요',
  'run once more',
  '다시실행해 주세요~',
  '재실행',
  '재시도',
  '다시 시도해 주세요',
  '한 번 더 실행',
  'retry',
  'run it again',
  'Run it again!',
  'run again',
  'rerun',
  're-run',
  'try again',
  'Please run it again.',
])('"%s" retries', (text) => {
  expect(controlWordOf(text)).toBe('retry');
});

test.each([
  '',
  '   ',
  '!!!',
  'please',
  'cancel the second step of the design',
  'stop words should be removed',
  'do not cancel',
  "don't stop",
  'restart the server every night',
  'retry three times',
  '취소하지 마',
  '취소 주문을 분석해줘',
  '처음부터 끝까지 요약해줘',
  '다시',
  '다시 실행하지 마',
  '주문 취소',
  'again',
  'cancellation',
  'ok',
])('"%s" is an ordinary message', (text) => {
  expect(controlWordOf(text)).toBeNull();
});

test('any other word beside a control word makes it an ordinary message', () => {
  const control = fc.constantFrom('취소', 'cancel', 'restart', '처음부터', '다시 실행', 'retry');
  const word = fc.constantFrom('order', '주문', 'reviews', '분석', '7');
  fc.assert(
    fc.property(control, word, (command, other) => {
      expect(controlWordOf(`${command} ${other}`)).toBeNull();
      expect(controlWordOf(`${other} ${command}`)).toBeNull();
    }),
  );
});

test('punctuation, space and case around a control word do not matter', () => {
  const around = fc.string({
    unit: fc.constantFrom(' ', '.', '!', '~', '…', '\n', '"'),
    maxLength: 6,
  });
  fc.assert(
    fc.property(around, around, (before, after) => {
      expect(controlWordOf(`${before}Cancel${after}`)).toBe('cancel');
      expect(controlWordOf(`${before}다시 실행${after}`)).toBe('retry');
    }),
  );
});
