import type { Design } from '../design/designs.js';
import { urlsIn } from './source-urls.js';

/** As many pages as one collector reads in a run. */
export const MAX_COLLECTED_URLS = 10;

/**
 * The addresses that a collector reads: those of its own description, else the design's
 * `source_hints`, else those that other agents' descriptions name. Empty: it plans with a model.
 *
 * @param position of the collector in `design.agents`
 */
export function sourceUrlsOf(design: Design, position: number): readonly string[] {
  const own = design.agents[position]?.description ?? '';
  const others = design.agents.filter((_, at) => at !== position);
  const places = [[own], design.source_hints, others.map(({ description }) => description)];
  const found = places.map((texts) => texts.flatMap(urlsIn)).find((urls) => urls.length > 0);
  return [...new Set(found)].slice(0, MAX_COLLECTED_URLS);
}
