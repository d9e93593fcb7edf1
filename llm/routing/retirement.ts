/** When vendors stop to serve a model, and what that means for us. */
import { VENDORS, type ProviderName } from '../../domain/agents/models.js';
import { findModel, getPrice } from './model-catalog.js';
import type { ModelCatalog } from './models-file.js';

/** From then on a retirement is in the log at start, and a metric. */
const NOTICE_DAYS = 60;
/** Models that we choose ourselves must be sold for at least so long. */
const SOLD_FOR_MONTHS = 6;

export interface Retirement {
  readonly provider: ProviderName;
  readonly model: string;
  readonly retiresOn: string;
  /** Negative: since when it is no longer served. */
  readonly days: number;
}

/** The model of a class, or the default one, by the setting or the entry that names it. */
interface ChosenModel {
  readonly place: string;
  readonly name: string;
}

/**
 * The models that retire within the notice, the next one first; of those that have retired only what we still
 * choose ourselves.
 */
export function listRetirements(
  catalog: ModelCatalog,
  defaultModel: string,
  today: string,
): readonly Retirement[] {
  const chosen = listChosen(catalog, defaultModel).map(({ name }) => findModel(catalog, name)?.id);
  return [...catalog.models.values()]
    .flatMap(({ id, vendor, retiresOn }) =>
      retiresOn === null
        ? []
        : [{ provider: vendor, model: id, retiresOn, days: countDays(today, retiresOn) }],
    )
    .filter(({ model, days }) => days <= NOTICE_DAYS && (days > 0 || chosen.includes(model)))
    .toSorted((a, b) => a.days - b.days);
}

/** @returns one sentence for each model of ours that is not sold long enough, or has no price */
export function findProblems(
  catalog: ModelCatalog,
  defaultModel: string,
  today: string,
): readonly string[] {
  const until = addMonths(today, SOLD_FOR_MONTHS);
  return listChosen(catalog, defaultModel).flatMap(({ place, name }) => {
    const model = findModel(catalog, name);
    if (model === undefined || getPrice(catalog, name, today) === null) {
      return [`${place}: ${name} is not listed with a price`];
    }
    return model.retiresOn !== null && model.retiresOn < until
      ? [`${place}: ${name} retires on ${model.retiresOn}, before ${until}`]
      : [];
  });
}

function listChosen({ classes }: ModelCatalog, defaultModel: string): readonly ChosenModel[] {
  const ofClasses = VENDORS.flatMap((vendor) =>
    Object.entries(classes[vendor]).map(([name, id]) => ({
      place: `classes.${vendor}.${name}`,
      name: id,
    })),
  );
  return [...ofClasses, { place: 'DEFAULT_LLM_MODEL', name: defaultModel }];
}

const DAY_MS = 86_400_000;

function countDays(from: string, to: string): number {
  return Math.round((Date.parse(to) - Date.parse(from)) / DAY_MS);
}

function addMonths(day: string, months: number): string {
  const date = new Date(day);
  date.setUTCMonth(date.getUTCMonth() + months);
  return date.toISOString().slice(0, 10);
}
