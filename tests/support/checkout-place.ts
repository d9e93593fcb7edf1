import { mkdirSync, mkdtempSync } from 'node:fs';
import { join, resolve } from 'node:path';

const ROOT = resolve(import.meta.dirname, '../../.agentforge');

/** A new folder inside the checkout, next to its state: programs there find our packages. */
export function makePlaceInCheckout(purpose: string): string {
  const place = join(ROOT, purpose);
  mkdirSync(place, { recursive: true });
  return mkdtempSync(join(place, 'copy-'));
}
