/** The built threads that read: hostile documents are stopped in time, and harm no other reader. */
import { createReader } from '../../collector/reader.js';

const thread = new URL('../../dist/collector/reader-thread.js', import.meta.url);
const never = new AbortController().signal;
const html = (text: string) => ({
  contentKind: 'html' as const,
  charset: null,
  body: new TextEncoder().encode(text),
});

test('a page, a PDF’s refusal and rules are read in threads', async () => {
  const reader = createReader({ thread });
  expect(await reader.readPage(html('<title>T</title><p>한글 010-1234-5678'), never)).toEqual({
    title: 'T',
    text: '한글 [PHONE]',
    piiTypes: ['phone'],
    refresh: null,
  });
  const rules = { url: 'https://a.example/x', text: 'User-agent: *\nDisallow: /x' };
  expect(await reader.decideRobots(rules, never)).toEqual({ isAllowed: false, crawlDelayMs: null });
  const pdf = { ...html('%PDF-1.7 nonsense'), contentKind: 'pdf' as const };
  await expect(reader.readPage(pdf, never)).rejects.toMatchObject({ code: 'unreadable' });
});

test('the reason why a page cannot be read is given in words', async () => {
  const body = new TextEncoder().encode('\u001B$)C');
  const page = { contentKind: 'html' as const, charset: 'iso-2022-kr', body };
  await expect(createReader({ thread }).readPage(page, never)).rejects.toMatchObject({
    code: 'unreadable',
    message: 'pages in the encoding iso2022kr are not read',
  });
});

/** windows-949, as browsers read what the standard calls `euc-kr`: its syllables are not all in KS X 1001. */
const KOREAN = Uint8Array.from(
  // 똠방각하, 펲시, 뷁
  [0x8c, 0x63, 0xb9, 0xe6, 0xb0, 0xa2, 0xc7, 0xcf, 0x20, 0xbc, 0x84, 0xbd, 0xc3, 0x20, 0x94, 0xee],
);

test.each([
  ...['euc-kr', 'ks_c_5601-1987', 'x-cp949', 'windows-949', 'MS949', 'csEUCKR', 'iso-ir-149'],
])('all Korean syllables are read, also the rarer ones, with the label %s', async (charset) => {
  const body = KOREAN;
  const { text } = await createReader({ thread }).readPage(
    { contentKind: 'html', charset, body },
    never,
  );
  expect(text).toBe('똠방각하 펲시 뷁');
});

const PAGE = '<title>가격</title><p>오늘 가격은 가장 낮고 가까운 가게의 날씨는 맑습니다';
const WIDE = Buffer.from(PAGE, 'utf16le');
const EUC_KR = Buffer.from('bfc0b4c320b0a1b0ddc0ba20b8bcbdc0b4cfb4d9', 'hex'); // 오늘 가격은 맑습니다
const ESCAPED = (set: string) => Buffer.from(`<p>\u001B$${set}\u001B(B`, 'latin1');

test.each([
  ['UTF-16 without a mark', null, WIDE, '오늘 가격은'],
  ['UTF-16 called UTF-8', 'utf-8', WIDE, '오늘 가격은'],
  ['UTF-16 in the other order', 'utf-16', Buffer.from(WIDE).swap16(), '오늘 가격은'],
  ['UTF-8 called windows-1251', 'windows-1251', Buffer.from(PAGE), '오늘 가격은'],
  ['UTF-8 that calls itself', null, Buffer.from(`<meta charset="unicode">${PAGE}`), '오늘 가격은'],
  ['UTF-8 called', 'unicode-1-1-utf-8', Buffer.from(PAGE), '오늘 가격은'],
  ['EUC-KR without a label', null, EUC_KR, '오늘 가격은'],
  ['rarer Korean without a label', null, Buffer.concat([KOREAN, EUC_KR, EUC_KR]), '펲시 뷁'],
  ['EUC-KR called iso-8859-15', 'iso-8859-15', EUC_KR, '오늘 가격은'],
  ['EUC-KR called', 'x-user-defined', EUC_KR, '오늘 가격은'],
  ['Cyrillic letters', 'windows-1251', Buffer.from('cff0e8e2e5f220ece8f0', 'hex'), 'Привет мир'],
  ['Japanese in escapes', null, ESCAPED('B:#F|$O'), '今日は'],
])('%s %s is read as what it is', async (_, charset, body, text) => {
  const page = await createReader({ thread }).readPage(
    { contentKind: 'html', charset, body },
    never,
  );
  expect(page.text).toContain(text);
});

test('Japanese without a label is not taken for Korean', async () => {
  // 今日は東京の天気がいいです in Shift_JIS
  const body = Buffer.from('8da193fa82cd938c8b9e82cc93568b4382aa82a282a282c582b7', 'hex');
  const page = { contentKind: 'html' as const, charset: null, body };
  await expect(createReader({ thread }).readPage(page, never)).rejects.toMatchObject({
    code: 'unreadable',
  });
});

test('Korean in escapes without a label is refused, not taken for ASCII', async () => {
  const page = { contentKind: 'html' as const, charset: null, body: ESCAPED(')C\u000e?@4C\u000f') };
  await expect(createReader({ thread }).readPage(page, never)).rejects.toMatchObject({
    code: 'unreadable',
  });
});

test('a page nested so deeply that parsing takes minutes is stopped in time', async () => {
  const reader = createReader({ thread, timeoutMs: 1_500 });
  const nested = reader.readPage(html('<div>'.repeat(200_000)), never);
  await expect(nested).rejects.toMatchObject({ code: 'unreadable' });
  const sound = await createReader({ thread }).readPage(html('<p>sound'), never);
  expect(sound.text).toBe('sound');
});

test('a page that closes none of its elements is read whole', async () => {
  const rows = Array.from({ length: 3_000 }, (_, at) => `<div>row ${at}`).join('');
  const { text } = await createReader({ thread }).readPage(html(rows), never);
  expect(text.split('\n')).toHaveLength(3_000);
  expect(text).toMatch(/row 2999$/);
});

test('rules with too many names are stopped in time', async () => {
  const reader = createReader({ thread, timeoutMs: 1_500 });
  const names = Array.from({ length: 15_000 }, (_, at) => `User-agent: bot-${at}`).join('\n');
  const text = `${names}\n${'Disallow: /a\n'.repeat(20_000)}`;
  const bomb = reader.decideRobots({ url: 'https://a.example/', text }, never);
  await expect(bomb).rejects.toMatchObject({ code: 'unreadable' });
});

test('a page that takes too much memory ends its thread alone', async () => {
  const reader = createReader({ thread, maxHeapMb: 20 });
  const greedy = reader.readPage(html('<li>a'.repeat(400_000)), never);
  await expect(greedy).rejects.toMatchObject({ code: 'unreadable' });
});

test('a caller that stops waiting ends the reading, also while queued', async () => {
  const reader = createReader({ thread });
  const slow = html('<div>'.repeat(200_000));
  const leaving = new AbortController();
  const reads = Array.from({ length: 3 }, () => reader.readPage(slow, leaving.signal));
  leaving.abort();
  const ends = await Promise.allSettled(reads);
  expect(ends.map(({ status }) => status)).toEqual(['rejected', 'rejected', 'rejected']);
  expect((await reader.readPage(html('<p>next'), never)).text).toBe('next');
});
