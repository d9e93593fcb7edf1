import type { DomainError } from '../domain/errors.js';
import type { Gates, Way } from './gates.js';
import type { PayingKey } from './model.js';

export interface Step<Turn> {
  readonly turn: Turn;
  readonly way: Way;
}

/** One pass over the turns, best first, without those that are held back. */
export interface Pass<Turn> {
  /** Why turns were passed over or have failed, in their order. */
  readonly failures: DomainError[];
  /** The next turn that is let through; null at the end. */
  next(): Promise<Step<Turn> | null>;
  /** Whether there is one; it is then kept for `next`, so that nobody else takes its way. */
  hasNext(): Promise<boolean>;
  /** Gives back what was kept and is not needed. */
  end(): Promise<void>;
}

export function createPass<Turn extends { readonly key: PayingKey }>(
  turns: readonly Turn[],
  gates: Gates,
): Pass<Turn> {
  const left = [...turns];
  const failures: DomainError[] = [];
  let ahead: Promise<Step<Turn> | null> | null = null;

  async function seek(): Promise<Step<Turn> | null> {
    for (let turn = left.shift(); turn !== undefined; turn = left.shift()) {
      const knock = await gates.knock(turn.key);
      if (knock.kind === 'let-through') {
        return { turn, way: knock.way };
      }
      failures.push(knock.error);
    }
    return null;
  }

  const look = () => (ahead ??= seek());
  return {
    failures,
    async next() {
      const step = await look();
      ahead = null;
      return step;
    },
    hasNext: async () => (await look()) !== null,
    async end() {
      const kept = await ahead;
      await kept?.way.turn();
    },
  };
}
