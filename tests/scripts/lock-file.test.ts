/** What `npm ci` installs is what was released, on every platform. */
import { readFileSync } from 'node:fs';

test('every package of the lock file has a hash', () => {
  const { packages } = JSON.parse(readFileSync('package-lock.json', 'utf8'));
  const without = Object.entries<any>(packages)
    .filter(([path, entry]) => path !== '' && entry.link !== true)
    .filter(([, { integrity }]) => !/^sha512-[A-Za-z0-9+/]{86}==$/.test(integrity ?? ''))
    .map(([path]) => path);
  expect(without).toEqual([]);
});
