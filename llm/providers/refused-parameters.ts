/**
 * Parameters that a model has refused. A vendor's models do not all take the same ones, and the list of ours cannot
 * name every model: one refused call, which vendors do not bill, tells what to leave out from then on.
 */
import type { ModelParameters } from '../model.js';
import { readComplaint, type Complaint } from './vendor-errors.js';

type Name = Exclude<keyof ModelParameters, 'thinkingTokens'>;

/** How a vendor calls a parameter in its refusal, in lower case; the first that fits counts. */
const WORDS: readonly (readonly [Name, readonly string[]])[] = [
  ['streaming', ['stream_options', 'include_usage', 'streaming']],
  ['outputCap', ['max_completion_tokens', 'max_tokens']],
  ['temperature', ['temperature']],
  [
    'structuredOutput',
    [
      'response_format',
      'json_schema',
      'output_config.format',
      'response_schema',
      'responseschema',
      'response_mime_type',
      'structured output',
    ],
  ],
  ['effort', ['reasoning_effort', 'effort', 'thinking_level', 'thinkinglevel', 'thinking level']],
  ['thinkingBudget', ['thinking_budget', 'thinkingbudget', 'budget', 'thinking.type', 'thinking']],
];

/** A value that is merely out of range, or a schema with a mistake, is another failure. */
const REFUSALS = [
  'support',
  'deprecated',
  'unknown',
  'unrecognized',
  'unexpected',
  'not permitted',
  'not allowed',
  'not available',
  'unavailable',
  'cannot be used',
  'may only',
  'only works',
  'enabled only',
];

/** @returns the parameter that the vendor says it does not take; null where it says something else */
export function findRefusedParameter({ parameter, sentence }: Complaint): Name | null {
  if (!REFUSALS.some((word) => sentence.includes(word))) {
    return null;
  }
  const findIn = (text: string) =>
    WORDS.find(([, words]) => words.some((word) => text.includes(word)))?.[0] ?? null;
  return findIn(parameter) ?? findIn(sentence);
}

/** @returns what takes the place of the refused value; null where nothing can */
function replaceRefused(parameters: ModelParameters, name: Name): Partial<ModelParameters> | null {
  switch (name) {
    case 'outputCap': // a call without a bound could not be reserved
      return {
        outputCap: parameters.outputCap === 'max_tokens' ? 'max_completion_tokens' : 'max_tokens',
      };
    case 'streaming':
      return parameters.streaming === null
        ? null
        : { streaming: parameters.streaming === 'with-usage' ? 'plain' : null };
    default:
      return parameters[name] === null ? null : { [name]: null };
  }
}

/** More than a worker asks; the oldest is forgotten, which costs one more refused call. */
const MAX_MODELS = 1_000;

/**
 * What one process has learned. It is not shared: a new process pays one refused call per model for it, which is
 * free, and a vendor that takes the parameter one day is asked again after the next start.
 */
export class RefusedParameters {
  /** In the order of their learning. */
  readonly #learned = new Map<string, Partial<ModelParameters>>();

  /**
   * Sends what the model takes. Where its vendor names a parameter as refused, sends once more without it, and
   * remembers that if it helped.
   *
   * @param model with the address of its server, since two servers may have one name for two models
   */
  async send<T>(
    model: string,
    parameters: ModelParameters,
    send: (parameters: ModelParameters) => Promise<T>,
  ): Promise<T> {
    let learned: Partial<ModelParameters> = this.#learned.get(model) ?? {};
    const tried = new Set<string>();
    for (;;) {
      const current = { ...parameters, ...learned };
      tried.add(JSON.stringify(current));
      try {
        const answer = await send(current);
        if (tried.size > 1) {
          this.#remember(model, learned);
        }
        return answer;
      } catch (error) {
        const complaint = readComplaint(error);
        const name = complaint === null ? null : findRefusedParameter(complaint);
        const change = name === null ? null : replaceRefused(current, name);
        if (change === null || tried.has(JSON.stringify({ ...current, ...change }))) {
          throw error;
        }
        learned = { ...learned, ...change };
      }
    }
  }

  /** What the model has refused so far, and what takes its place. */
  getLearned(model: string): Partial<ModelParameters> {
    return this.#learned.get(model) ?? {};
  }

  #remember(model: string, learned: Partial<ModelParameters>): void {
    this.#learned.delete(model);
    this.#learned.set(model, learned);
    const [oldest] = this.#learned.keys();
    if (this.#learned.size > MAX_MODELS && oldest !== undefined) {
      this.#learned.delete(oldest);
    }
  }
}
