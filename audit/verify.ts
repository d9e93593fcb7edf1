/** A bundle's whole proof: form, chain, signature, who signed, and the replay of its history. */
import { isOf, type CodeNote, type ContentEntry, type HistoryState } from './contents.js';
import { checkIntegrity } from './integrity.js';
import { checkPrompts, promptName } from './prompts.js';

export type Verdict =
  | { readonly kind: 'proved'; readonly facts: readonly string[] }
  /** Nothing is wrong with it, but its decisions could not be made again. */
  | { readonly kind: 'not-replayed'; readonly facts: readonly string[]; readonly why: string }
  | { readonly kind: 'refused'; readonly problem: string };

/** Code to replay on, and where it is from. */
export interface KnownCode {
  readonly code: string;
  readonly origin: string;
}

export interface VerifyDeps {
  /** Ids of the keys whose signature counts. */
  readonly trustedKeys: readonly string[];
  /** By the hash of a workflow bundle; null: it is unknown here. */
  findCode(hash: string): KnownCode | null;
  /** @throws when the code would have decided otherwise */
  replay(contents: readonly ContentEntry[], code: string): Promise<void>;
}

export async function verifyBundle(file: Uint8Array, deps: VerifyDeps): Promise<Verdict> {
  const checked = checkIntegrity(file);
  if (checked.kind === 'broken') {
    return { kind: 'refused', problem: checked.problem };
  }
  const { contents, keyId, head } = checked;
  if (!deps.trustedKeys.includes(keyId)) {
    return {
      kind: 'refused',
      problem: `signature: by the key ${keyId}, which is not one of yours. Compare it with those that the product publishes (GET /api/v1/audit/keys); if it is one of them, pass --key ${keyId}.`,
    };
  }
  const facts = [
    `Chain: ${contents.length} entries, last hash ${head}`,
    `Signature: by the key ${keyId}`,
  ];
  const prompts = checkPrompts(contents);
  const other = prompts.find(({ kind }) => kind === 'other');
  if (other !== undefined) {
    const problem = `prompt: ${promptName(other)} is not what was sent: its hash is another one, or a text that it repeats is gone`;
    return { kind: 'refused', problem };
  }
  const sent = `Prompts: ${prompts.length} of ${contents.filter(isOf('call')).length} calls, all as they were sent`;
  return verifyHistory(contents, prompts.length === 0 ? facts : [...facts, sent], deps);
}

const NO_HISTORY: Readonly<Record<Exclude<HistoryState, 'archived'>, string>> = {
  none: 'the run ended before a workflow took it, so there is no history',
  lost: 'Temporal had lost the history before the run was archived',
  'too-large': 'the history was too large to be archived',
};

async function verifyHistory(
  contents: readonly ContentEntry[],
  facts: readonly string[],
  deps: VerifyDeps,
): Promise<Verdict> {
  const history = contents.find(isOf('history'))?.data;
  const events = contents.filter(isOf('event')).length;
  if (history === undefined || history.events !== events) {
    return { kind: 'refused', problem: `history: ${events} events, and other than it says` };
  }
  if (history.state !== 'archived') {
    return { kind: 'not-replayed', facts, why: NO_HISTORY[history.state] };
  }
  const note = contents.find(isOf('code'))?.data;
  const known = note == null ? null : deps.findCode(note.workflow_bundle);
  if (known === null) {
    return { kind: 'not-replayed', facts, why: unknownCode(note ?? null) };
  }
  try {
    await deps.replay(contents, known.code);
  } catch (error) {
    return {
      kind: 'refused',
      problem: `history: not what the workflows of ${known.origin} decide: ${String(error)}`,
    };
  }
  const fact = `Replay: ${events} events, all as the workflows of ${known.origin} decide them`;
  return { kind: 'proved', facts: [...facts, fact] };
}

function unknownCode(note: CodeNote | null): string {
  return note === null
    ? 'it does not name the code that decided it'
    : `its workflows are of ${note.version} with the bundle ${note.workflow_bundle}, which is no release that this copy knows, nor what it is built from: use a copy of that version`;
}
