import { randomBytes, randomUUID } from 'node:crypto';
import { createMacs } from '../../events/macs.js';

const [older, newer] = [randomBytes(32), randomBytes(32)];
const PLACE = 'agentforge:events:somewhere';

test('a text is valid where it was signed for, for every holder of the key, and nowhere else', () => {
  const [one, two] = [createMacs([newer]), createMacs([newer])];
  const signed = one.sign(PLACE, '{"nudge":true}');
  expect(two.verify(PLACE, signed)).toBe('{"nudge":true}');
  expect(two.verify('agentforge:events:elsewhere', signed)).toBeNull();
  expect(createMacs([older]).verify(PLACE, signed)).toBeNull();
});

test('while keys change, what either key has signed is valid for holders of both', () => {
  const both = createMacs([newer, older]);
  expect(both.verify(PLACE, createMacs([older]).sign(PLACE, 'before'))).toBe('before');
  expect(createMacs([newer]).verify(PLACE, both.sign(PLACE, 'after'))).toBe('after');
});

test('any changed character is noticed', () => {
  const macs = createMacs([newer]);
  const signed = macs.sign(PLACE, 'a text');
  for (let at = 0; at < signed.length; at += 1) {
    const changed = `${signed.slice(0, at)}${signed[at] === 'x' ? 'y' : 'x'}${signed.slice(at + 1)}`;
    // the last character of a MAC holds bits that mean nothing
    expect([at, at === 21 ? null : macs.verify(PLACE, changed)]).toEqual([at, null]);
  }
});

test.each([
  ['nothing', ''],
  ['an older release’s hint', '{"events":[{"type":"error","seq":1}]}'],
  ['no base64', '?'.repeat(40)],
  ['half a surrogate pair', '\ud800'.repeat(40)],
  ['more than anything of ours', 'x'.repeat(5_000_000)],
])('%s is not valid', (_what, text) => {
  expect(createMacs([newer]).verify(PLACE, text)).toBeNull();
});

test('place and text have one separation only', () => {
  const macs = createMacs([newer]);
  const id = randomUUID();
  const signed = macs.sign(`agentforge:live:${id}`, ' entry{}');
  expect(macs.verify(`agentforge:live:${id} entry`, signed.replace(' entry', ''))).toBeNull();
});
