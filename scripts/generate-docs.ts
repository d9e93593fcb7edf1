/** `npm run docs:generate`: writes docs/configuration.md, `.env.example` and the list in docs/events.md. */
import { readFileSync, writeFileSync } from 'node:fs';
import { makeConfigurationDocs } from './configuration-page.js';
import { withEvents } from './events-page.js';

const { page, example } = await makeConfigurationDocs();
writeFileSync('docs/configuration.md', page);
writeFileSync('.env.example', example);
writeFileSync('docs/events.md', await withEvents(readFileSync('docs/events.md', 'utf8')));
console.log('Wrote docs/configuration.md, .env.example and docs/events.md.');
