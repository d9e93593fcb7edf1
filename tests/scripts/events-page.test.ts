import { readFileSync } from 'node:fs';
import { withEvents } from '../../scripts/events-page.js';

test('docs/events.md lists the events as `npm run docs:generate` does', async () => {
  const page = readFileSync('docs/events.md', 'utf8');
  expect(await withEvents(page)).toBe(page);
});
