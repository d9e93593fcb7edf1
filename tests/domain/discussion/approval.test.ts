import fc from 'fast-check';
import { chooseDesign, isApproval, namesDesign } from '../../../domain/discussion/approval.js';
import { designsByRules } from '../../../domain/design/rules.js';
import type { Design } from '../../../domain/design/designs.js';
import { intentByRules } from '../../../domain/discussion/intents.js';
import { anyText } from '../../support/texts.js';

/** Three designs; the second is the recommended one. */
const designs = designsByRules(intentByRules('crawl the reviews', 'en'), 'en');
const korean = designsByRules(intentByRules('리뷰 수집', 'ko'), 'ko');

function numberOf(design: Design | null, of: readonly Design[] = designs): number | null {
  return design === null ? null : of.indexOf(design) + 1;
}

test('a design whose name is one character is chosen by that name alone', () => {
  const lettered = designs.map((design, index) => ({ ...design, name: 'abc'[index] ?? '' }));
  expect(numberOf(chooseDesign('b', lettered), lettered)).toBe(2);
  expect(isApproval('a report would be nice', lettered)).toBe(false);
});

test.each([
  ['ok', 2],
  ['OK!', 2],
  ['okay', 2],
  ['good', 2],
  ['Looks good to me', 2],
  ['Sounds good, thanks!', 2],
  ['ok, go ahead', 2],
  ['go ahead', 2],
  ['Yes, please proceed.', 2],
  ['confirm', 2],
  ['I confirm.', 2],
  ['not bad, ok', 2],
  ['No problem, good', 2],
  ['Good. The price is fine.', 2],
  ["It's expensive but ok", 2],
  ['good enough', 2],
  ['2', 2],
  ['2.', 2],
  ['#3', 3],
  ['option 1', 1],
  ['Option 3 please', 3],
  ['option two', 2],
  ['design #1', 1],
  ['no. 3', 3],
  ['the second one', 2],
  ['second', 2],
  ['the third option, please', 3],
  ['the last one', 3],
  ['I choose 3', 3],
  ["I'll go with option 3", 3],
  ["let's take 1", 1],
  ['I want to choose option 1', 1],
  ['good, 3', 3],
  ['Option 1 is good', 1],
  ['I think option 1 is good for my needs', 1],
  ['I choose option 1 because it needs less money', 1],
  ['not 2 but 3', 3],
  ['3, not 2', 3],
  ['3 not 2', 3],
  ['3 instead of 2', 3],
  ['1 rather than option 2', 1],
  ["Option 1 isn't good. Choose option 3.", 3],
  ["I don't want option 1, choose option 2", 2],
  ['go with the recommended one', 2],
  ['Advanced Multi-Agent Pipeline', 3],
  ['advanced multi-agent pipeline (quality)', 3],
  ['Choose the Simple Sequential Pipeline (speed), please', 1],
  ['No, option 3', 3],
  ['좋아', 2],
  ['좋아요!', 2],
  ['좋습니다', 2],
  ['괜찮아요', 2],
  ['괜찮네요, 진행해 주세요', 2],
  ['확인', 2],
  ['확인했습니다', 2],
  ['이걸로 해주세요', 2],
  ['이것으로 결정할게요', 2],
  ['승인합니다', 2],
  ['동의해요', 2],
  ['네, 진행해 주세요', 2],
  ['문제없어요, 좋아요', 2],
  ['비싸지만 괜찮아요', 2],
  ['오케이', 2],
  ['1번', 1],
  ['3번으로 할게요', 3],
  ['3번으로 진행해 주세요', 3],
  ['2번이요', 2],
  ['2 번으로 선택할게요', 2],
  ['1번 설계안을 선택합니다', 1],
  ['설계안 3으로 결정했어요', 3],
  ['옵션 1', 1],
  ['3안으로 해요', 3],
  ['첫 번째 설계안으로 확인해 주세요', 1],
  ['두번째가 좋아요', 2],
  ['세 번째로 가죠', 3],
  ['마지막 걸로 할게요', 3],
  ['2번 말고 3번', 3],
  ['2번 대신 1번으로 해 주세요', 1],
  ['1번보다는 3번이 좋아요', 3],
  ['1번이 아니라 2번이요', 2],
  ['1번은 안 좋아요. 3번으로 선택할게요', 3],
  ['추천 설계안으로 할게요', 2],
  ['좋아요, 이 설계로 진행해주세요', 2],
  ['３번', 3],
  ["I'd like option 2", 2],
  ['Good, but I would like option 3', 3],
  ['1 is bad, 2 is good', 2],
  ['option 2 it is', 2],
  ['저는 2번이요', 2],
  ['1번은 별로고 2번이 좋아요', 2],
  ['아니 2번', 2],
  ['아니요, 3번이요', 3],
  ['추천안으로 갈게요', 2],
  ['이대로 진행해주세요', 2],
])('"%s" approves design %d', (text, expected) => {
  expect(isApproval(text, designs)).toBe(true);
  expect(numberOf(chooseDesign(text, designs))).toBe(expected);
});

test.each([
  // negated
  'not ok',
  'Not good.',
  "this isn't good",
  'That is not ok',
  "don't choose",
  "I don't choose option 2",
  "I can't confirm this",
  'not 2',
  'Option 2 is not good',
  'no good',
  'neither is good',
  'anything but 2',
  'I never said ok',
  'dont select 2',
  '안 좋아',
  '안 좋아요',
  '좋지 않아',
  '별로 좋아 보이지 않아요',
  '괜찮지 않아요',
  '안 괜찮아요',
  '선택 못 하겠어요',
  '선택하지 마세요',
  '아직 결정 못 했어요',
  '아직 결정하지 않았어요',
  '결정하기 어려워요',
  '확인이 필요해',
  '확인이 필요해요',
  '동의하지 않아요',
  '동의 못 해요',
  '승인할 수 없어요',
  '이걸로는 부족해요',
  '이걸로 하지 마',
  '2번은 싫어요',
  '2번 말고',
  '미승인',
  '승인 못 합니다',
  '1번이랑 2번 섞어줘',
  // asked
  'is option 2 good?',
  'is option 2 good',
  'Which is good?',
  'ok?',
  '2?',
  'Should I choose 2',
  'what does ok mean',
  '2번이 좋을까요?',
  '2번 괜찮나요',
  '이걸로 하면 좋은가요',
  '1번이 좋아요 2번이 좋아요?',
  '어떤 게 좋아요',
  '선택 기준이 뭐예요',
  // hesitant
  'maybe ok',
  'probably good',
  'ok, but wait',
  'not yet, option 2 looks good',
  "Don't start yet. Option 2 is good.",
  'let me choose later',
  'hard to choose',
  '좋아요, 잠깐만요',
  '결정은 나중에 할게요',
  '고민해 보고 선택할게요',
  '아마 괜찮을 거예요',
  // with a request
  'good but make it cheaper',
  'good, but too slow',
  'ok, add a validator',
  'Option 2 is good but use fewer agents',
  'choose option 2 and make it faster',
  'good, however it lacks a check',
  '2, but with a cheaper model',
  'it would be good to have a chart',
  'good if it were cheaper',
  'I choose 2 if it costs less',
  'combine 1 and 2, ok',
  'first, add a validator',
  'choose 2 but not now',
  'choose 2, no chart needed',
  '2번, 검증은 필요 없어요',
  'Option 3. Do not read the second page.',
  'good, the report must be in English',
  'ok please translate the result',
  '좋은데 더 저렴하게 해줘',
  '좋아요. 하지만 비용을 줄여 주세요',
  '좋아요, 검증 단계를 추가해 주세요',
  '2번이 괜찮은데 좀 비싸요',
  '좋아, 리뷰는 네이버에서 가져와 주세요',
  '2번으로 하되 모델을 바꿔 주세요',
  '선택지를 더 보여줘',
  '더 빠르면 좋겠어요',
  // of something else
  'select the reviews from 2024',
  'choose reviews with photos',
  'I want good reviews',
  '리뷰 100개를 선택해줘',
  '가격을 확인해줘',
  '동의어도 찾아줘',
  '제가 좋아하는 사이트예요',
  'good question',
  'good morning',
  'book the tokens',
  'goodness',
  // of no design, or of several
  'option 12',
  'choose option 12',
  'option 4',
  '0',
  '12',
  '1.5',
  'v1',
  '10 reviews',
  'top 3 sites',
  '2 agents',
  '3개',
  'choose all three',
  'all three are good',
  '다 선택할게요',
  '리뷰를 3번 수집해줘',
  '검증기를 2번 실행해줘',
  '좋아요, 출력은 표로 해줘',
  '1. Add validator 2. Add cache',
  '1 or 2',
  '1번이나 2번',
  'both 1 and 2 are good',
  // plain feedback
  'The analysis is shallow',
  'yes',
  '네',
  'I like how fast it is',
  '비용이 궁금합니다',
  'a',
  '',
  '   ',
  '...',
])('"%s" approves nothing', (text) => {
  expect(isApproval(text, designs)).toBe(false);
});

test('an approval of nothing in particular needs no designs', () => {
  expect(isApproval('좋아요', [])).toBe(true);
  expect(isApproval('2', [])).toBe(false);
});

test('a message too long to be a mere choice is feedback', () => {
  expect(isApproval(`ok ${'well '.repeat(300)}`, designs)).toBe(false);
});

test('spaces around and invisible characters inside do not matter', () => {
  expect(isApproval(`${' '.repeat(2_000)}ok`, designs)).toBe(true);
  expect(isApproval('o\u200bk', designs)).toBe(true);
});

test.each([
  ['option 12', 2],
  ['10 reviews', 2],
  ['v1', 2],
  ['1.5 seconds', 2],
  ['2024-01-01', 2],
  ['$1', 2],
  ['not 2', 1],
  ['2번 말고', 1],
  ['2번은 안 좋아요', 1],
  ['good, not 2', 1],
  ['not 1', 2],
  ['anything', 2],
])('"%s" chooses design %d', (text, expected) => {
  expect(numberOf(chooseDesign(text, designs))).toBe(expected);
});

test('without a recommended design the first one is chosen, without any design none', () => {
  const plain = designs.map((design) => ({ ...design, recommended: false }));
  expect(chooseDesign('ok', plain)).toBe(plain[0]);
  expect(chooseDesign('ok', [])).toBeNull();
});

test('nothing is chosen when every design is turned down', () => {
  expect(chooseDesign('not 1, not 2, not 3', designs)).toBeNull();
});

function named(...names: string[]): readonly Design[] {
  return names.map((name, at) => ({ ...designs[0], name, recommended: at === 2 }) as Design);
}

test('the longest name wins over a name that it contains', () => {
  const set = named('Fast', 'Fast Plus', 'Thorough');
  expect(numberOf(chooseDesign('choose Fast Plus', set), set)).toBe(2);
  expect(numberOf(chooseDesign('choose fast', set), set)).toBe(1);
});

test('a name wins over a number', () => {
  const set = named('Quick look', 'Version 1', 'Report 2 Pro');
  expect(numberOf(chooseDesign('choose version 1', set), set)).toBe(2);
  expect(numberOf(chooseDesign('option 1: Report 2 Pro', set), set)).toBe(3);
});

test('words of a name are not read as wishes, negations or approvals', () => {
  const set = named('No Frills (add nothing)', 'Good and cheap', 'Better Report');
  expect(isApproval('No Frills (add nothing)', set)).toBe(true);
  expect(isApproval('Better Report is too slow', set)).toBe(false);
  expect(isApproval('Good and cheap lacks a check', set)).toBe(false);
});

test('a name is a whole word', () => {
  const set = named('Art', 'Mid', 'End');
  expect(numberOf(namesDesign('start with the middle', set), set)).toBeNull();
});

test.each([
  ['Simple Sequential Pipeline', 1],
  ['Standard Pipeline with Validation으로 해줘', 2],
  ['Advanced Multi-Agent Pipeline (품질 우선)', 3],
  ['3번', 3],
])('a Korean user names design "%s"', (text, expected) => {
  expect(isApproval(text, korean)).toBe(true);
  expect(numberOf(namesDesign(text, korean), korean)).toBe(expected);
});

test.each(['', 'ok', '좋아요', 'not 2', '1 or 2', 'option 9'])('"%s" names no design', (text) => {
  expect(namesDesign(text, designs)).toBeNull();
});

test('no message makes the rules throw or choose a design that is not there', () => {
  const words = ['2', 'not', 'ok', '좋아', '말고', 'option', '번', 'but', '(', '[', '*', '\\', '?'];
  const message = fc.oneof(
    anyText,
    fc.array(fc.constantFrom(...words)).map((w) => w.join(' ')),
  );
  fc.assert(
    fc.property(message, fc.array(fc.string(), { maxLength: 4 }), (text, names) => {
      const set = named(...names);
      isApproval(text, set);
      const chosen = chooseDesign(text, set);
      expect(chosen === null || set.includes(chosen)).toBe(true);
    }),
  );
});

test('a number beyond the list never approves, whichever way it is written', () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 4, max: 9_999 }),
      fc.constantFrom(
        '%',
        '#%',
        'option %',
        'choose %',
        'good, %',
        '%번',
        '%번으로 할게요',
        '설계안 %',
      ),
      (number, form) => !isApproval(form.replace('%', String(number)), designs),
    ),
  );
});

test('an approval that is followed by a wish is never an approval', () => {
  fc.assert(
    fc.property(
      fc.constantFrom('ok', 'good', 'choose 2', '좋아요', '2번', '3번으로 할게요'),
      fc.constantFrom(
        'but make it cheaper',
        'but not now',
        ', add a check',
        '. 하지만 비싸요',
        ', 검증을 추가해 줘',
      ),
      (approval, wish) => !isApproval(`${approval} ${wish}`, designs),
    ),
  );
});
