/**
 * An audit bundle: all that is known of a run that has ended, as one document that can be checked
 * without us. docs/audit.md describes it for those who read one.
 */
import { z } from 'zod';
import { canonicalJson, wellFormed } from './canonical.js';
import { chain, chainedSchema, headOf, type Chained } from './chain.js';
import { contentsSchema, type ContentEntry } from './contents.js';
import { checkPrompts, promptName } from './prompts.js';
import { signatureSchema, type Signer } from './signing.js';

/** A later format has another name; this one stays readable. */
export const BUNDLE_FORMAT = 'agentforge-audit/1';

/** Its contents are looked at when the chain holds: what is hashed is what was written. */
export const bundleSchema = z.strictObject({
  format: z.literal(BUNDLE_FORMAT),
  entries: z.array(chainedSchema).min(1),
  signature: signatureSchema,
});
export type Bundle = z.infer<typeof bundleSchema>;

/** What the signature is of: with the last hash it covers every entry, with their number the end. */
export function signedPartOf({ entries }: { readonly entries: readonly Chained[] }) {
  const head = headOf(entries, BUNDLE_FORMAT);
  return { format: BUNDLE_FORMAT, entries: entries.length, head };
}

export interface MadeBundle {
  /** Canonical JSON. */
  readonly text: string;
  /** The hash that stands for all of it. */
  readonly head: string;
  /** Prompts that are not what was sent, by what they are of: their records were changed. */
  readonly otherPrompts: readonly string[];
}

/** @throws ZodError when the contents are not what they are promised to be */
export function makeBundle(contents: readonly ContentEntry[], signer: Signer): MadeBundle {
  const parsed = z.array(contentsSchema).parse(wellFormed(contents));
  const entries = chain(parsed, BUNDLE_FORMAT);
  const part = signedPartOf({ entries });
  const signature = canonicalJson(signer.sign(part));
  const otherPrompts = checkPrompts(parsed).filter(({ kind }) => kind === 'other');
  return {
    text: `{"entries":[${entries.map(({ text }) => text).join(',')}],"format":"${BUNDLE_FORMAT}","signature":${signature}}`,
    head: part.head,
    otherPrompts: otherPrompts.map(promptName),
  };
}
