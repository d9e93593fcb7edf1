/** `npm run models:update`: copies the vendors' prices from `@pydantic/genai-prices` into llm/prices.json. */
import { readFileSync, writeFileSync } from 'node:fs';
import { describePriceChanges, makePriceList } from './price-list.js';
import { PricesFile } from '../llm/routing/models-file.js';

const FILE = 'llm/prices.json';

const before = PricesFile.parse(JSON.parse(readFileSync(FILE, 'utf8')));
const { list, text } = await makePriceList();
writeFileSync(FILE, text);
const changes = describePriceChanges(before, list);
console.log(`${list.package} ${before.version} → ${list.version}`);
console.log(changes.length === 0 ? 'No price has changed.' : changes.join('\n'));
