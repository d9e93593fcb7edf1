import { readFileSync } from 'node:fs';
import { makeClientTypes } from '../../scripts/client-types.js';

test('the client’s types are those of the API (npm run client:generate writes them)', async () => {
  const written = readFileSync(new URL('../../client/schema.d.ts', import.meta.url), 'utf8');
  expect(written).toBe(await makeClientTypes());
});
