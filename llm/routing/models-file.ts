/**
 * Which models AgentForge calls and what they cost: `llm/models.json`, or the operator's own file of
 * that form. A price names the vendor's page that states it and the day it was last compared.
 */
import { readFileSync } from 'node:fs';
import { z } from 'zod';
import { VENDORS } from '../../domain/agents/models.js';
import builtIn from '../models.json' with { type: 'json' };

const day = z.iso.date({ error: 'Invalid day: write YYYY-MM-DD' });
/** As a text, so that no float touches money; the ledger keeps six decimals. */
const usd = z
  .string({ error: 'Invalid price: write a text such as "2.50"' })
  .regex(/^\d{1,9}(\.\d{1,6})?$/, 'Invalid price: write a text such as "2.50"');
const modelId = z.string().regex(/^[^\sA-Z]{1,255}$/, 'Invalid id: write it in lower case');

const Price = z.strictObject({
  /** In force from this UTC day on, until the next entry's. */
  from: day,
  inputUsdPerMillion: usd,
  outputUsdPerMillion: usd,
  /** Page of the vendor that states the price. */
  source: z.url({ protocol: /^https$/ }),
  /** Day on which that page was last compared with this entry. */
  asOf: day,
});

const Model = z.strictObject({
  id: modelId,
  vendor: z.enum(VENDORS),
  prices: z.array(Price).min(1),
  /** First UTC day on which the vendor no longer answers for this model. */
  retiresOn: day.nullable().default(null),
  /** What takes its place from that day on. */
  successor: modelId.nullable().default(null),
  /** Thinks before it answers: takes no temperature. */
  reasons: z.boolean().default(false),
  /**
   * Thoughts that the vendor counts into the cap of an answer, in tokens: asked for beside what the
   * answer may take, and reserved with it. 0: the model does not think, or does not count them so.
   */
  thinkingTokens: z.int().min(0).max(32_768).default(0),
  /**
   * What the vendor states of prompt and answer together, without options that raise it; null: not known.
   * Source: platform.openai.com/docs/models, platform.claude.com/docs (models), ai.google.dev (models), 2026-12-01
   */
  contextTokens: z.int().min(1_000).max(100_000_000).nullable().default(null),
  note: z.string().optional(),
});

const classes = z.strictObject({ simple: modelId, standard: modelId, complex: modelId });

const ModelsFile = z
  .strictObject({
    models: z.array(Model).min(1),
    /** What a vendor uses for a class; a retired entry is replaced by its successor. */
    classes: z.record(z.enum(VENDORS), classes),
    /** Other names of listed models. */
    aliases: z.record(modelId, modelId),
  })
  .check((check) => {
    for (const { path, message } of contradictionsOf(check.value)) {
      check.issues.push({ code: 'custom', path: [...path], message, input: check.value });
    }
  });

/** The content of such a file. */
export type ModelsFile = Readonly<z.infer<typeof ModelsFile>>;
export type ListedModel = Readonly<z.infer<typeof Model>>;
/** US dollars per 1 million tokens, as decimal texts. */
export type Price = Readonly<
  Pick<z.infer<typeof Price>, 'inputUsdPerMillion' | 'outputUsdPerMillion'>
>;

/** A models file that cannot be used; the message names the file and the field. */
export class ModelsFileError extends Error {
  override readonly name = 'ModelsFileError';
}

/** What comes with AgentForge. */
export const BUILT_IN_MODELS: ModelsFile = ModelsFile.parse(builtIn);

/** @throws ModelsFileError */
export function readModelsFile(file: string): ModelsFile {
  const parsed = ModelsFile.safeParse(readJson(file));
  if (!parsed.success) {
    const problems = parsed.error.issues.map(
      ({ path, message }) => `${path.map(String).join('.') || 'the whole'}: ${message}`,
    );
    throw new ModelsFileError(`${file}: correct ${problems.join('; ')}`);
  }
  return parsed.data;
}

function readJson(file: string): unknown {
  try {
    return JSON.parse(readFileSync(file, 'utf8'));
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : String(cause);
    throw new ModelsFileError(`${file} cannot be read as JSON (${why})`, { cause });
  }
}

interface Contradiction {
  readonly path: readonly (string | number)[];
  readonly message: string;
}

function contradictionsOf(file: z.infer<typeof ModelsFile>): readonly Contradiction[] {
  const byId = new Map(file.models.toReversed().map((model) => [model.id, model])); // the first wins
  const classEntries = VENDORS.flatMap((vendor) =>
    Object.entries(file.classes[vendor]).map(([name, id]) => ({ vendor, name, id })),
  );
  return [
    ...file.models.flatMap((model, at) => contradictionsOfModel(model, { at, byId })),
    ...classEntries
      .filter(({ vendor, id }) => byId.get(id)?.vendor !== vendor)
      .map(({ vendor, name, id }) => ({
        path: ['classes', vendor, name],
        message: `"${id}" is no model of ${vendor} that is listed`,
      })),
    ...Object.entries(file.aliases)
      .filter(([, id]) => !byId.has(id))
      .map(([name, id]) => ({ path: ['aliases', name], message: `"${id}" is not listed` })),
  ];
}

function contradictionsOfModel(
  model: ListedModel,
  { at, byId }: { at: number; byId: ReadonlyMap<string, ListedModel> },
): readonly Contradiction[] {
  const problem = (field: string, message: string): Contradiction => ({
    path: ['models', at, field],
    message,
  });
  const days = model.prices.map(({ from }) => from);
  const isInOrder = days.every((from, index) => index === 0 || (days[index - 1] ?? '') < from);
  return [
    ...(byId.get(model.id) === model ? [] : [problem('id', `"${model.id}" is listed twice`)]),
    ...(isInOrder ? [] : [problem('prices', 'must be in the order of their days')]),
    ...(successorFits(model, byId)
      ? []
      : [problem('successor', 'must be another listed model of the vendor, and no circle')]),
  ];
}

/** Follows the successors to their end, of one vendor all along and none of them twice. */
function successorFits(model: ListedModel, byId: ReadonlyMap<string, ListedModel>): boolean {
  const seen = new Set([model.id]);
  let next = model.successor;
  while (next !== null) {
    const found = byId.get(next);
    if (found?.vendor !== model.vendor || seen.has(next)) {
      return false;
    }
    seen.add(next);
    next = found.successor;
  }
  return true;
}
