/** `npm run docs:configuration`: writes docs/configuration.md and `.env.example`. */
import { writeFileSync } from 'node:fs';
import { makeConfigurationDocs } from './configuration-page.js';

const { page, example } = await makeConfigurationDocs();
writeFileSync('docs/configuration.md', page);
writeFileSync('.env.example', example);
console.log('Wrote docs/configuration.md and .env.example.');
