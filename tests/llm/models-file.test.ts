import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  findModel,
  findParameters,
  getClassModel,
  getPrice,
  listChoices,
} from '../../llm/routing/model-catalog.js';
import { BUILT_IN_MODELS, readModelsFile } from '../../llm/routing/models-file.js';

let folder = '';
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'agentforge-models-'));
});
afterEach(() => {
  rmSync(folder, { recursive: true });
});

function write(text: string): string {
  const file = join(folder, 'models.json');
  writeFileSync(file, text);
  return file;
}

const PRICE = {
  from: '2026-01-01',
  inputUsdPerMillion: '0.01',
  outputUsdPerMillion: '0.02',
  source: 'https://example.com/prices',
  asOf: '2026-11-01',
};

/** A file that can be used, changed; as JSON, so that anything can be put into it. */
function changed(change: (file: any) => void): string {
  const file: unknown = {
    models: [
      { id: 'gpt-own', vendor: 'openai', prices: [PRICE], retiresOn: null, successor: 'gpt-4o' },
      { id: 'gpt-4o', vendor: 'openai', prices: [PRICE] },
    ],
    classes: { openai: { simple: 'gpt-own' } },
    aliases: { 'gpt-short': 'gpt-own' },
  };
  const copy: unknown = JSON.parse(JSON.stringify(file));
  change(copy);
  return write(JSON.stringify(copy));
}

function messageOf(read: () => unknown): string {
  try {
    read();
  } catch (error) {
    return error instanceof Error ? error.message : '';
  }
  return '';
}

test('the built-in file is one that can be used', () => {
  const own = readFileSync('llm/models.json', 'utf8');
  expect(readModelsFile(write(own))).toEqual(BUILT_IN_MODELS);
});

test("the operator's file lies over models, prices, limits, parameters, classes and aliases", () => {
  const catalog = readModelsFile(
    changed((file) => {
      file.models[0].contextTokens = 50_000;
      file.models.push({
        ...{ id: 'gpt-6-sol', vendor: 'openai' },
        parameters: { effort: 'high', temperature: null, thinkingTokens: 9_000 },
      });
      file.parameters = { openai: { outputCap: 'max_tokens' } };
    }),
  );
  expect(getPrice(catalog, 'GPT-short')).toMatchObject({ inputUsdPerMillion: '0.01' });
  expect(getPrice(catalog, 'gpt-4o')).toMatchObject({ inputUsdPerMillion: '0.01' });
  expect(findModel(catalog, 'gpt-4o')).toMatchObject({
    ...{ contextTokens: 128_000, retiresOn: '2027-01-14' },
  });
  expect(findModel(catalog, 'gpt-own')).toMatchObject({ contextTokens: 50_000 });
  expect(findParameters(catalog, 'openai', 'gpt-6-sol')).toMatchObject({
    ...{ effort: 'high', temperature: null, thinkingTokens: 9_000, outputCap: 'max_tokens' },
  });
  expect(getPrice(catalog, 'gpt-6-sol')).toMatchObject({ inputUsdPerMillion: '2' });
  expect(getClassModel(catalog, 'openai', 'simple', '2026-11-23')).toBe('gpt-own');
  expect(getClassModel(catalog, 'openai', 'complex', '2026-11-23')).toBe('gpt-6-sol');
  const settings = { defaultProvider: 'openai', defaultModel: 'gpt-4o' } as const;
  const wish = { wantedModel: 'gpt-short', complexity: 'standard' } as const;
  expect(listChoices(catalog, wish, ['openai'], settings)).toEqual([
    { provider: 'openai', model: 'gpt-own' },
  ]);
  expect(getPrice(BUILT_IN_MODELS, 'gpt-own')).toBeNull();
});

type Change = (catalog: any) => void;
const CASES: readonly [string, Change][] = [
  [
    'models.0.prices.0.inputUsdPerMillion: Invalid price',
    (it) => (it.models[0].prices[0].inputUsdPerMillion = 2.5),
  ],
  [
    'models.0.prices.0.outputUsdPerMillion: Invalid price',
    (it) => (it.models[0].prices[0].outputUsdPerMillion = '-1'),
  ],
  ['models.0.prices.0.source: Invalid', (it) => (it.models[0].prices[0].source = 'hearsay')],
  ['models.0.prices.0.source: Invalid', (it) => delete it.models[0].prices[0].source],
  ['models.0.prices.0.asOf: Invalid day', (it) => (it.models[0].prices[0].asOf = '2026-02-30')],
  [
    'models.0.prices.0: Unrecognized key: "currency"',
    (it) => (it.models[0].prices[0].currency = 'EUR'),
  ],
  ['models.0.prices: Too small', (it) => (it.models[0].prices = [])],
  [
    'models.0.prices: must be in the order',
    (it) => it.models[0].prices.push(it.models[0].prices[0]),
  ],
  ['models.0.vendor: Invalid option', (it) => (it.models[0].vendor = 'acme')],
  ['models.1.id: Invalid id', (it) => (it.models[1].id = 'GPT')],
  ['models.1.id: "gpt-own" is listed twice', (it) => (it.models[1].id = 'gpt-own')],
  ['models.0.retiresOn: Invalid day', (it) => (it.models[0].retiresOn = 'soon')],
  ['models.0.successor: must be another', (it) => (it.models[0].successor = 'missing')],
  ['models.0.successor: must be another', (it) => (it.models[0].successor = 'gpt-own')],
  ['models.0.successor: must be another', (it) => (it.models[0].successor = 'claude-opus-4-6')],
  [
    'classes.google.simple: "nothing" is no model of google',
    (it) => (it.classes.google = { simple: 'nothing' }),
  ],
  [
    'classes.google.simple: "gpt-4o" is no model of google',
    (it) => (it.classes.google = { simple: 'gpt-4o' }),
  ],
  [
    'aliases.claude-haiku-4-5: "nothing" is not listed',
    (it) => (it.aliases['claude-haiku-4-5'] = 'nothing'),
  ],
  ['models: Invalid input', (it) => (it.models = {})],
  [
    'models.0.prices.0.tiers: must be in the order',
    (it) =>
      (it.models[0].prices[0].tiers = [200, 100].map((promptTokensOver) => ({
        ...{ promptTokensOver, inputUsdPerMillion: '1', outputUsdPerMillion: '1' },
      }))),
  ],
  [
    'models.0.parameters.effort: Invalid option',
    (it) => (it.models[0].parameters = { effort: 'x' }),
  ],
];

test.each(CASES)('a mistake is named: %s', (problem, change) => {
  const file = changed(change);
  expect(messageOf(() => readModelsFile(file))).toContain(`${file}: correct ${problem}`);
});

test('successors in a circle are refused, so that no search runs for ever', () => {
  const file = changed((it) => {
    it.models[1].successor = 'gpt-own';
  });
  expect(messageOf(() => readModelsFile(file))).toContain('models.0.successor: must be another');
});

test('several mistakes are named at once', () => {
  const file = changed((it) => {
    it.models[0].vendor = 'acme';
    it.models[1].contextTokens = 'many';
  });
  expect(messageOf(() => readModelsFile(file))).toMatch(
    /models\.0\.vendor.*; models\.1\.contextTokens/,
  );
});

test.each([
  ['a list', '[]', ': correct the whole: Invalid input'],
  ['no JSON', '{"models": ', 'cannot be read as JSON'],
])('%s is refused by its name', (_, text, problem) => {
  const file = write(text);
  const message = messageOf(() => readModelsFile(file));
  expect(message).toContain(file);
  expect(message).toContain(problem);
});

test('a file that is not there is named', () => {
  const file = join(folder, 'none.json');
  expect(messageOf(() => readModelsFile(file))).toMatch(/none\.json cannot be read.*ENOENT/);
});
