import { isPrivateAddress, isPrivateUrl } from '../../../domain/security/private-addresses.js';

test.each([
  'http://127.0.0.1:5432/',
  'http://127.1/',
  'http://2130706433/',
  'http://0x7f.0.0.1/',
  'http://0177.0.0.1/',
  'http://１２７.0.0.1/',
  'http://10.1.2.3/',
  'http://172.16.0.1/',
  'http://172.31.255.255/',
  'http://192.168.1.1/admin',
  'http://169.254.169.254/latest/meta-data/',
  'http://100.64.0.1/',
  'http://0.0.0.0/',
  'http://255.255.255.255/',
  'http://224.0.0.1/',
  'http://localhost:8000/metrics',
  'http://LOCALHOST./',
  'http://api.localhost/',
  'http://temporal:7233/',
  'http://metadata.google.internal/',
  'http://printer.local/',
  'https://user@192.168.0.1/',
  'http://[::1]/',
  'http://[::]/',
  'http://[::ffff:127.0.0.1]/',
  'http://[::ffff:8.8.8.8]/',
  'http://[fd00::1]/',
  'http://[fe80::1]/',
  'http://[ff02::1]/',
  'http://[64:ff9b::10.0.0.1]/',
  'http://[2002:7f00:1::]/',
  'http://[2001:db8::1]/',
  'http://[3fff::1]/',
  'http://[2001::1]/',
  'http://[64:ff9b:1::8.8.8.8]/',
  'http://[5f00::1]/',
  'http://192.88.99.1/',
])('%s is private', (url) => {
  expect(isPrivateUrl(url)).toBe(true);
});

test.each([
  'https://example.com/reviews',
  'https://www.naver.com/',
  'http://8.8.8.8/',
  'http://172.32.0.1/',
  'http://100.128.0.1/',
  'http://[2606:4700:4700::1111]/',
  'http://[64:ff9b::8.8.8.8]/',
  'https://localhost.example.com/',
  'https://한국.kr/',
  'http://internal.example.com/?at=127.0.0.1',
])('%s is public', (url) => {
  expect(isPrivateUrl(url)).toBe(false);
});

test('an address that cannot be parsed is not refused here', () => {
  expect(isPrivateUrl('http://[nonsense/')).toBe(false);
});

test.each([
  ...['127.0.0.1', '10.0.0.1', '169.254.169.254', '0.0.0.0', '255.255.255.255'],
  ...['::1', '::', 'fe80::1%eth0', 'fd00::1', 'ff02::1', '::ffff:10.0.0.1', '::ffff:a00:1'],
  ...['64:ff9b::a00:1', '64:FF9B::10.0.0.1', '2002:a00:1::', '0:0:0:0:0:0:0:1', '2001:0:1::1'],
  ...['', 'nonsense', '256.1.1.1', '1.2.3', '::1]/x[', 'example.com'],
])('an address that resolves to "%s" is not public', (address) => {
  expect(isPrivateAddress(address)).toBe(true);
});

test.each(['8.8.8.8', '2606:4700:4700::1111', '64:ff9b::808:808', '2A00:1450::1'])(
  '%s is public',
  (address) => {
    expect(isPrivateAddress(address)).toBe(false);
  },
);
