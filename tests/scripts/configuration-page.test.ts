import { readFileSync } from 'node:fs';
import { isVariableOf, SECRETS } from '../../config/process-variables.js';
import { CollectorEnvironment } from '../../config/collector-config.js';
import { Environment } from '../../config/settings.js';
import { VENDORS } from '../../domain/agents/models.js';
import { makeConfigurationDocs, type ConfigurationDocs } from '../../scripts/configuration-page.js';
import { StartEnvironment } from '../../scripts/start/settings.js';

let docs: ConfigurationDocs;
beforeAll(async () => {
  docs = await makeConfigurationDocs();
});

/** Names that docker-compose.yml fills in. */
function variablesOfCompose(): readonly string[] {
  const text = readFileSync('docker-compose.yml', 'utf8');
  return [...text.matchAll(/\$\{([A-Z][A-Z0-9_]+)/g)].map(([, name]) => name ?? '');
}

test('the committed pages are what `npm run docs:generate` makes', () => {
  expect(readFileSync('docs/configuration.md', 'utf8')).toBe(docs.page);
  expect(readFileSync('.env.example', 'utf8')).toBe(docs.example);
});

test('the pages name every variable that is read once, and no other', () => {
  const read = new Set([
    ...[Environment, CollectorEnvironment, StartEnvironment].flatMap(({ shape }) =>
      Object.keys(shape),
    ),
    ...variablesOfCompose(),
  ]);
  expect(docs.variables.map(({ name }) => name).sort()).toEqual([...read].sort());
});

test('each variable has readers, and a secret those that are given it', () => {
  expect(docs.variables.filter(({ readBy }) => readBy.length === 0)).toEqual([]);
  for (const [secret, processes] of Object.entries(SECRETS)) {
    const readBy = docs.variables.find(({ name }) => name === secret)?.readBy ?? [];
    expect([secret, readBy.filter((it) => it !== 'npm start')]).toEqual([secret, processes]);
  }
});

test('each process is given the variables that its page says it reads', () => {
  const settings = {
    api: Object.keys(Environment.shape),
    worker: Object.keys(Environment.shape),
    collector: Object.keys(CollectorEnvironment.shape),
  };
  for (const { name, readBy } of docs.variables) {
    for (const process of ['api', 'worker', 'collector'] as const) {
      const isGiven = isVariableOf(process, name, settings[process]);
      expect([name, process, isGiven || !readBy.includes(process)]).toEqual([name, process, true]);
    }
  }
});

test('each vendor’s key is a setting of the worker, and kept from what npm installs and builds', () => {
  const prepare = readFileSync('scripts/prepare.mjs', 'utf8');
  const [, kept = ''] = /const SECRETS =\s+\/(.+)\/;/.exec(prepare) ?? [];
  for (const vendor of VENDORS) {
    const key = `${vendor.toUpperCase()}_API_KEY`;
    const setting = docs.variables.find(({ name }) => name === key);
    expect([key, setting?.readBy, new RegExp(kept).test(key)]).toEqual([key, ['worker'], true]);
  }
});
