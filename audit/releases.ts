/**
 * The workflow bundles of all releases, as this repository has them, under one signed list: what a
 * history is replayed on comes from here and never from the file that is to be proved.
 */
import { readFileSync } from 'node:fs';
import { gunzipSync } from 'node:zlib';
import { z } from 'zod';
import { sha256 } from './canonical.js';
import { isSignedBy, signatureSchema, type Signer } from './signing.js';

const RELEASES_FORMAT = 'agentforge-releases/1';

const releaseSchema = z.strictObject({
  version: z.string().regex(/^\d+\.\d+\.\d+$/),
  /** SHA-256 of the code (temporal/code-version.ts). */
  workflow_bundle: z.string().regex(/^[0-9a-f]{64}$/),
});
export type Release = z.infer<typeof releaseSchema>;

const listSchema = z.strictObject({
  format: z.literal(RELEASES_FORMAT),
  releases: z.array(releaseSchema),
  signature: signatureSchema,
});
export type ReleaseList = z.infer<typeof listSchema>;

export function signReleases(releases: readonly Release[], signer: Signer): ReleaseList {
  const list: Omit<ReleaseList, 'signature'> = {
    format: RELEASES_FORMAT,
    releases: [...releases],
  };
  return { ...list, signature: signer.sign(list) };
}

export interface Releases {
  /** Who has signed the list. */
  readonly keyId: string;
  readonly all: readonly Release[];
  /** @returns the code whose hash this is; null: of no release */
  findCode(hash: string): { readonly version: string; readonly code: string } | null;
}

export const LIST_FILE = 'list.json';

export function bundleFileOf({ version }: Pick<Release, 'version'>): string {
  return `${version}/workflow-bundle.js.gz`;
}

/**
 * @param folder a URL that ends in `/`
 * @param keyIds whose signature counts
 * @throws Error that names the file that is not what was released
 */
export function openReleases(folder: URL, keyIds: readonly string[]): Releases {
  const { signature, ...list } = readList(folder);
  if (!keyIds.includes(signature.key_id) || !isSignedBy(list, signature)) {
    throw new Error(`${LIST_FILE} of releases is not what was signed: take it from a release`);
  }
  return {
    keyId: signature.key_id,
    all: list.releases,
    findCode(hash) {
      const release = list.releases.find(({ workflow_bundle }) => workflow_bundle === hash);
      if (release === undefined) {
        return null;
      }
      const file = bundleFileOf(release);
      const code = gunzipSync(readFileSync(new URL(file, folder))).toString('utf8');
      if (sha256(code) !== hash) {
        throw new Error(`${file} is not what was released: take it from a release`);
      }
      return { version: release.version, code };
    },
  };
}

/** @throws Error when there is none, or it is none */
export function readList(folder: URL): ReleaseList {
  const text = readFileSync(new URL(LIST_FILE, folder), 'utf8');
  return listSchema.parse(JSON.parse(text));
}
