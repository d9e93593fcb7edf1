import { AsyncLocalStorage } from 'node:async_hooks';
import { DomainError, type ErrorCode } from '../domain/errors.js';
import type { AskedVendor } from '../domain/run/failed-attempts.js';

/**
 * Which providers the attempt of an activity has asked. The worker's inbound interceptor opens it and shows it to
 * operators; the code that asks a provider writes it.
 */
export class AttemptNotes {
  private readonly notes: {
    vendor: string;
    model: string | null;
    sinceMs: number;
    code?: ErrorCode;
  }[] = [];

  /** What is being asked, in words for operators, where an activity asks several things. */
  call: string | null = null;

  /** @returns the caller calls it where the provider fails */
  asks(vendor: string, model: string | null): (error: unknown) => void {
    const note: (typeof this.notes)[number] = { vendor, model, sinceMs: Date.now() };
    this.notes.push(note);
    return (error) => {
      note.code = error instanceof DomainError ? error.code : 'internal';
    };
  }

  get asked(): readonly AskedVendor[] {
    return this.notes.map(({ sinceMs: _sinceMs, ...asked }) => asked);
  }

  /** Which provider is being asked, and since when; null between calls. */
  get current(): {
    readonly vendor: string;
    readonly model: string | null;
    readonly sinceMs: number;
  } | null {
    const last = this.notes.at(-1);
    return last === undefined || last.code !== undefined ? null : last;
  }
}

export const attemptScope = new AsyncLocalStorage<AttemptNotes>();

/** Outside of an attempt nothing is noted. */
export function noteAsked(vendor: string, model: string | null): (error: unknown) => void {
  return attemptScope.getStore()?.asks(vendor, model) ?? (() => undefined);
}

export function noteCall(call: string): void {
  const notes = attemptScope.getStore();
  if (notes !== undefined) {
    notes.call = call;
  }
}

export function askedSoFar(): readonly AskedVendor[] {
  return attemptScope.getStore()?.asked ?? [];
}
