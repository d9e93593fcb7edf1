import { complexityOfModel } from '../../domain/design/complexity.js';
import {
  checkDefaultModel,
  findModel,
  findVendorByName,
  getClassModel,
  getPrice,
  listChoices,
  type ModelSettings,
} from '../../llm/routing/model-catalog.js';
import { BUILT_IN_MODELS } from '../../llm/routing/models-file.js';
import { VENDORS } from '../../domain/agents/models.js';

const catalog = BUILT_IN_MODELS;
const settings: ModelSettings = {
  defaultProvider: 'anthropic',
  defaultModel: 'claude-3-5-sonnet-20241022',
  today: '2026-11-23',
};
const all = [...VENDORS];
const wish = (wantedModel: string | null) => ({
  wantedModel,
  complexity: wantedModel === null ? ('standard' as const) : complexityOfModel(wantedModel),
});

test.each([
  ['gpt-4o-mini', 'simple'],
  ['claude-haiku-4-5', 'simple'],
  ['Claude-Opus-4-6', 'complex'],
  ['gemini-2.5-pro', 'standard'],
  ['gemini-1.5-flash', 'standard'],
  ['gpt-4o', 'standard'],
  ['', 'standard'],
])('the name %s is of class %s', (name, complexity) => {
  expect(complexityOfModel(name)).toBe(complexity);
});

test.each([
  ['gpt-9-ultra', 'openai'],
  ['ChatGPT-4o-latest', 'openai'],
  ['o3-mini', 'openai'],
  [' Claude-Opus-9', 'anthropic'],
  ['gemini-9-ultra', 'google'],
  ['llama-70b', null],
  ['my-gpt-4', null],
])('the name %p belongs to %p', (name, vendor) => {
  expect(findVendorByName(name)).toBe(vendor);
});

test('the vendor of the named model comes first, then the default, then the fixed order', () => {
  expect(listChoices(catalog, wish('gemini-2.5-pro'), all, settings)).toEqual([
    { provider: 'google', model: 'gemini-2.5-pro' },
    { provider: 'anthropic', model: 'claude-sonnet-5' },
    { provider: 'openai', model: 'gpt-6-sol' },
  ]);
});

test('without a name the default provider comes first', () => {
  const google = { ...settings, defaultProvider: 'google' as const };
  expect(listChoices(catalog, wish(null), all, google).map(({ provider }) => provider)).toEqual([
    'google',
    'openai',
    'anthropic',
  ]);
});

test('a vendor without a key is left out', () => {
  expect(listChoices(catalog, wish('gpt-4o-mini'), ['google'], settings)).toEqual([
    { provider: 'google', model: 'gemini-3.5-flash-lite' },
  ]);
});

test("the editor's names are aliases of dated ids", () => {
  expect(listChoices(catalog, wish('claude-haiku-4-5'), ['anthropic'], settings)[0]?.model).toBe(
    'claude-haiku-4-5-20251001',
  );
});

test.each([
  ['gpt-9-ultra', 'openai', 'gpt-6-sol'],
  ['gpt-3.5-mini', 'openai', 'gpt-6-luna'],
  ['gpt-4-turbo', 'openai', 'gpt-6-sol'],
  ['claude-3-opus-20240229', 'anthropic', 'claude-opus-5-5'],
  ['claude-3-5-sonnet-20241022', 'anthropic', 'claude-sonnet-5'],
  ['gemini-2.0-flash', 'google', 'gemini-3.5-flash-lite'],
])('the unknown or retired %s stays with its vendor', (name, provider, model) => {
  expect(listChoices(catalog, wish(name), all, settings)[0]).toEqual({ provider, model });
});

test('a name of no vendor is served by the default model', () => {
  const gpt = { ...settings, defaultModel: 'gpt-4o-mini' };
  expect(listChoices(catalog, wish('llama-70b'), all, gpt)[0]).toEqual({
    provider: 'openai',
    model: 'gpt-4o-mini',
  });
});

test("a name of no vendor gets its class's model when the default model is retired", () => {
  expect(listChoices(catalog, wish('llama-70b'), all, settings)[0]).toEqual({
    provider: 'anthropic',
    model: 'claude-sonnet-5',
  });
});

test('simulated serves only where no vendor can', () => {
  expect(listChoices(catalog, wish('gpt-4o'), ['simulated'], settings)).toEqual([
    { provider: 'simulated', model: 'simulated' },
  ]);
  expect(listChoices(catalog, wish('gpt-4o'), ['simulated', 'google'], settings)).toHaveLength(1);
  expect(listChoices(catalog, wish('gpt-4o'), [], settings)).toEqual([]);
});

test('a retired class model hands over to its successor on its day', () => {
  const classes = { simple: 'gpt-4o-mini', standard: 'gpt-4o', complex: 'gpt-4o' };
  const before = { ...catalog, classes: { ...catalog.classes, openai: classes } };
  expect(getClassModel(before, 'openai', 'standard', '2027-01-13')).toBe('gpt-4o');
  expect(getClassModel(before, 'openai', 'standard', '2027-01-14')).toBe('gpt-6-luna');
});

test.each([
  ['gpt-4o', '2.5', '10'],
  ['gpt-4o-2024-11-20', '2.5', '10'],
  ['gpt-4o-2024-05-13', '5', '15'],
  ['gpt-4o-mini', '0.15', '0.6'],
  ['gpt-6-luna', '0.1', '0.5'],
  ['claude-haiku-4-5', '1', '5'],
  ['claude-haiku-5-5', '0.10', '0.50'],
  ['claude-opus-4-6', '5', '25'],
  ['claude-opus-5-5-20261001', '4', '20'],
  ['gemini-2.5-pro', '1.25', '10'],
  ['simulated', '0', '0'],
])('%s costs %s in and %s out', (model, inputUsdPerMillion, outputUsdPerMillion) => {
  expect(getPrice(catalog, model)).toMatchObject({ inputUsdPerMillion, outputUsdPerMillion });
});

test.each([
  'gpt-6',
  'gpt-6-sol-fast',
  'gpt-4o-2024',
  'claude-opus-5-5-fast',
  'claude-sonnet-5@latest',
])('%s is not known, though it begins as a listed name', (name) => {
  expect(findModel(catalog, name)).toBeUndefined();
});

test('a dated version is asked for by its own name, at the price of what it is a version of', () => {
  const dated = 'claude-sonnet-5-20260630';
  expect(listChoices(catalog, wish(dated), ['anthropic'], settings)[0]?.model).toBe(dated);
  expect(getPrice(catalog, dated)).toEqual(getPrice(catalog, 'claude-sonnet-5'));
});

test('a price changes on the day that the vendor announced', () => {
  expect(getPrice(catalog, 'gemini-3.8-flash', '2026-12-31')?.inputUsdPerMillion).toBe('0.75');
  expect(getPrice(catalog, 'gemini-3.8-flash', '2027-01-01')?.inputUsdPerMillion).toBe('1.5');
});

test('a model that is not listed has no price', () => {
  expect(getPrice(catalog, 'gpt-9-ultra')).toBeNull();
});

test("every class ends at a model of its vendor's that lives and has a price", () => {
  for (const vendor of VENDORS) {
    for (const complexity of ['simple', 'standard', 'complex'] as const) {
      const id = getClassModel(catalog, vendor, complexity, '2099-01-01');
      expect(findModel(catalog, id)?.vendor).toBe(vendor);
      expect(getPrice(catalog, id)).not.toBeNull();
    }
  }
});

test('a default model that cannot serve is named at start', () => {
  expect(checkDefaultModel(catalog, settings)).toContain('claude-3-5-sonnet-20241022');
  expect(checkDefaultModel(catalog, { ...settings, defaultModel: 'gemini-2.0-flash' })).toContain(
    'retired',
  );
  expect(checkDefaultModel(catalog, { ...settings, defaultModel: 'gpt-4o' })).toBeNull();
});
