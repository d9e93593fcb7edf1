import { isAllowed, parseAllowedAddresses } from '../../../domain/security/allowed-addresses.js';

function allows(text: string, host: string, port = 80): boolean {
  const parsed = parseAllowedAddresses(text);
  if ('problem' in parsed) {
    throw new Error(parsed.problem);
  }
  return isAllowed(parsed, { host, port });
}

test('nothing is allowed by default', () => {
  expect(parseAllowedAddresses('')).toEqual([]);
  expect(allows(' , ', '127.0.0.1')).toBe(false);
});

test.each([
  ['127.0.0.1', '127.0.0.1', 8080],
  ['127.0.0.1:8080', '127.0.0.1', 8080],
  ['10.1.0.0/16', '10.1.255.3', 80],
  ['10.1.0.0/16:8080', '10.1.255.3', 8080],
  ['0.0.0.0/0', '192.168.0.1', 1],
  ['::1', '[::1]', 80],
  ['[::1]:8080', '[::1]', 8080],
  ['fd00::/8', 'fd12:3456::1', 80],
  ['[fd00::]/8', 'fd12:3456::1', 80],
  ['wiki.corp', 'WIKI.corp.', 80],
  ['wiki.corp:8080', 'wiki.corp', 8080],
  ['a.example, 127.0.0.1 ,b.example', '127.0.0.1', 80],
])('%s allows %s at %i', (text, host, port) => {
  expect(allows(text, host, port)).toBe(true);
});

test.each([
  ['127.0.0.1', '127.0.0.2', 80],
  ['127.0.0.1:8080', '127.0.0.1', 8081],
  ['10.1.0.0/16', '10.2.0.1', 80],
  ['fd00::/8', 'fe00::1', 80],
  ['0.0.0.0/0', '::1', 80],
  ['wiki.corp', 'evil.wiki.corp', 80],
  ['wiki.corp:8080', 'wiki.corp', 80],
])('%s does not allow %s at %i', (text, host, port) => {
  expect(allows(text, host, port)).toBe(false);
});

test.each([
  '10.0.0.0/33',
  '::/129',
  '127.0.0.1:0',
  'host:99999',
  'http://a.example',
  'a b',
  '[::1',
])('%s is a mistake that is named', (text) => {
  expect(parseAllowedAddresses(`10.0.0.1,${text}`)).toEqual({
    problem: expect.stringContaining(text),
  });
});
