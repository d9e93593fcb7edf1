/** The built threads that read: hostile documents are left in time, and harm nobody else. */
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

test('why a page cannot be read is said in words', async () => {
  const body = new TextEncoder().encode('\u001B$)C');
  const page = { contentKind: 'html' as const, charset: 'iso-2022-kr', body };
  await expect(createReader({ thread }).readPage(page, never)).rejects.toMatchObject({
    code: 'unreadable',
    message: 'pages in the encoding iso2022kr are not read',
  });
});

test('a page nested so that parsing takes minutes is left in time', async () => {
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

test('rules of too many names are left in time', async () => {
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

test('whoever does not wait any more ends the reading, also while queued', async () => {
  const reader = createReader({ thread });
  const slow = html('<div>'.repeat(200_000));
  const leaving = new AbortController();
  const reads = Array.from({ length: 3 }, () => reader.readPage(slow, leaving.signal));
  leaving.abort();
  const ends = await Promise.allSettled(reads);
  expect(ends.map(({ status }) => status)).toEqual(['rejected', 'rejected', 'rejected']);
  expect((await reader.readPage(html('<p>next'), never)).text).toBe('next');
});
