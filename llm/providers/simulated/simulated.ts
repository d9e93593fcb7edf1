import type { ModelReply } from '../../../domain/agents/models.js';
import type { CallOptions, ModelCall, Provider } from '../../model.js';
import { SIMULATED_MODEL } from '../../routing/model-catalog.js';
import { simulateAgent } from './agents.js';
import { simulateCritiques } from './critiques.js';
import { simulateDesigns } from './designs.js';
import { exampleOf } from './examples.js';
import { simulateIntent } from './intent.js';
import { SIMULATED_MARK } from './purposes.js';
import { ModelCallError } from '../vendor-errors.js';

/**
 * The provider that answers where no vendor's key is at hand: at once, the same for the same
 * question, free, in the user's language, and labelled as simulated in every text.
 */
export function createSimulated(): Provider {
  return {
    name: 'simulated',
    complete: (call, options) => Promise.resolve().then(() => answer(call, options)),
    checkKey: () => Promise.resolve({ kind: 'valid', models: [SIMULATED_MODEL] }),
  };
}

/** Estimates: the price is 0. */
const CHARACTERS_PER_TOKEN = 4;

function answer(call: ModelCall, { signal, onDelta }: CallOptions): ModelReply {
  if (signal.aborted) {
    throw new ModelCallError('cancelled', 'the simulated call was cancelled', { billing: 'none' });
  }
  const whole = contentOf(call);
  // Half a JSON document cannot be read, so only texts are cut.
  const limit = call.answer === undefined ? call.maxTokens * CHARACTERS_PER_TOKEN : whole.length;
  const content = whole.slice(0, limit);
  if (onDelta !== undefined) {
    piecesOf(content).forEach(onDelta);
  }
  const prompt = call.messages.map((message) => message.content).join('');
  return {
    content,
    provider: 'simulated',
    model: call.model,
    usage: { promptTokens: tokensOf(prompt), completionTokens: tokensOf(content) },
    finish: content.length < whole.length ? 'length' : 'stop',
    requestId: null,
  };
}

/** Its lines. */
function piecesOf(content: string): readonly string[] {
  return content.split(/(?<=\n)/).filter((piece) => piece !== '');
}

function contentOf({ purpose }: ModelCall): string {
  switch (purpose.kind) {
    case 'intent':
      return JSON.stringify(simulateIntent(purpose));
    case 'designs':
      return JSON.stringify({ designs: simulateDesigns(purpose) });
    case 'critiques':
      return JSON.stringify({ critiques: simulateCritiques(purpose) });
    case 'agent':
      return purpose.outputSchema === undefined
        ? simulateAgent(purpose)
        : JSON.stringify(exampleOf(purpose.outputSchema, SIMULATED_MARK[purpose.language]));
    case 'key-check':
      return 'ok';
  }
}

function tokensOf(text: string): number {
  return Math.ceil(text.length / CHARACTERS_PER_TOKEN);
}
