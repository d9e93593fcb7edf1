/** `npm run client:generate`: writes the client's types. */
import { writeFileSync } from 'node:fs';
import { makeClientTypes } from './client-types.js';

writeFileSync('client/schema.d.ts', await makeClientTypes());
console.log('Wrote client/schema.d.ts.');
