import { mkdirSync, mkdtempSync } from 'node:fs';
import { join, resolve } from 'node:path';

const ROOT = resolve(import.meta.dirname, '../../.agentforge');

/** A new folder inside the checkout, wherever state is kept: what lies there finds our packages. */
export function makePlaceInCheckout(purpose: string): string {
  const place = join(ROOT, purpose);
  mkdirSync(place, { recursive: true });
  return mkdtempSync(join(place, 'copy-'));
}
