import { languageOf } from '../../../domain/text/languages.js';

test.each([
  ['도와줘', 'ko'],
  ['PDF 요약', 'ko'],
  ['OpenAI GPT-4o API로 review data sentiment analysis 해줘', 'ko'],
  ['translate 안녕 into English', 'ko'],
  ['ㅇㅋ', 'ko'],
  ['안녕하세요'.normalize('NFD'), 'ko'],
  ['help', 'en'],
  ['Compare three apps', 'en'],
  ['Compare 네이버 and Kakao by price', 'en'],
  ['summarize the reviews of 배달의민족 in a table', 'en'],
  ['', 'en'],
  ['123 !?', 'en'],
] as const)('"%s" begins a talk in %s', (text, language) => {
  expect(languageOf(text)).toBe(language);
});

test.each(['ok', 'OK!', 'option 2', 'go ahead', 'cancel', '2', '👍', '', 'ok, thanks'])(
  '"%s" keeps the language of the discussion',
  (text) => {
    expect(languageOf(text, 'ko')).toBe('ko');
    expect(languageOf(text, 'en')).toBe('en');
  },
);

test.each(['make it cheaper', 'I choose the second design', 'What does it cost?'])(
  '"%s" is English, after any language before',
  (text) => {
    expect(languageOf(text, 'ko')).toBe('en');
  },
);

test('the name of a design says nothing about the language', () => {
  const names = ['Standard Pipeline with Validation (균형)', 'Simple Sequential Pipeline'];
  expect(languageOf('simple sequential pipeline please', 'ko', names)).toBe('ko');
  expect(languageOf('Standard Pipeline with Validation', 'ko', names)).toBe('ko');
  expect(languageOf('Standard Pipeline with Validation (균형)', 'en', names)).toBe('en');
  expect(languageOf('Simple Sequential Pipeline please')).toBe('en');
});
