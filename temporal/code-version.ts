/**
 * Which code decides workflows: a release and the hash of its workflow bundle. It is part
 * of a worker's identity, so that every history names the code that decided it, also where
 * build id the worker's deployment has.
 */
import { createHash } from 'node:crypto';
import { hostname } from 'node:os';
import { VERSION } from '../domain/version.js';

export interface CodeVersion {
  readonly version: string;
  /** SHA-256 of the bundle's code, hexadecimal. */
  readonly workflowBundle: string;
}

/** As webpack ends a bundle; what follows names places of the machine that built it. */
const SOURCE_MAP = '//# sourceMappingURL=data:';

/** What of a bundle is executed: the same on every machine that builds the same sources. */
export function codeOf(bundle: string): string {
  const end = bundle.lastIndexOf(SOURCE_MAP);
  return end === -1 ? bundle : bundle.slice(0, end);
}

export function hashOfBundle(bundle: string): string {
  return createHash('sha256').update(codeOf(bundle)).digest('hex');
}

export function codeVersionOf(bundle: string): CodeVersion {
  return { version: VERSION, workflowBundle: hashOfBundle(bundle) };
}

/** `<pid>@<host> agentforge@<version>+<hash>`: the place, as the SDK names it, and the code. */
export function workerIdentityOf({ version, workflowBundle }: CodeVersion): string {
  return `${process.pid}@${hostname()} agentforge@${version}+${workflowBundle}`;
}

const CODE = /(?:^| )(?<part>agentforge@(?<version>[^+ ]+)\+(?<workflowBundle>[0-9a-f]{64}))$/;

/** What of an identity names the code. @returns null for the identity of anybody else */
export function codePartOf(identity: unknown): string | null {
  return namesIn(identity)['part'] ?? null;
}

/** @returns null for what names no code of ours */
export function codeVersionIn(identity: unknown): CodeVersion | null {
  const { version, workflowBundle } = namesIn(identity);
  return version === undefined || workflowBundle === undefined ? null : { version, workflowBundle };
}

function namesIn(identity: unknown): Readonly<Record<string, string | undefined>> {
  return typeof identity === 'string' ? (CODE.exec(identity)?.groups ?? {}) : {};
}
