import type { AnswerSchema, ModelMessage } from '../model.js';

/** Role markers and separators that vendors add to each message; a few tokens in each chat format. */
const TOKENS_PER_MESSAGE = 16;
/** Priming of the reply and the vendor's own fixed preamble. */
const TOKENS_PER_CALL = 64;
/** The instructions that vendors put round an answer schema (Anthropic's tool preamble is 350). */
const TOKENS_PER_SCHEMA = 600;

/**
 * An upper bound of what a vendor will count as input. All three tokenizers work on UTF-8 bytes or
 * fall back to them, so a text never has more tokens than bytes; some first normalise to NFKC, which
 * may lengthen a text. The bound is loose on purpose: English has about four bytes to a token,
 * Korean two to three, and the settle corrects the reservation to the vendor's own count.
 */
export function promptTokensBound(prompt: {
  readonly messages: readonly ModelMessage[];
  readonly answer?: AnswerSchema | undefined;
}): number {
  const texts = prompt.messages.map(({ content }) => bytesOf(content) + TOKENS_PER_MESSAGE);
  const schema =
    prompt.answer === undefined
      ? 0
      : bytesOf(JSON.stringify(prompt.answer.schema)) + TOKENS_PER_SCHEMA;
  return texts.reduce((sum, tokens) => sum + tokens, TOKENS_PER_CALL + schema);
}

function bytesOf(text: string): number {
  return Math.max(Buffer.byteLength(text), Buffer.byteLength(text.normalize('NFKC')));
}
