/**
 * `npm run release`: keeps the workflow bundle of this version under releases/, so that histories
 * that it decides can be replayed for ever, and signs the list. Needs `RELEASE_SIGNING_KEY`.
 */
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { gzipSync } from 'node:zlib';
import { RELEASE_KEY_ID, RETIRED_RELEASE_KEY_IDS } from '../audit/release-key.js';
import {
  bundleFileOf,
  LIST_FILE,
  openReleases,
  signReleases,
  type Release,
} from '../audit/releases.js';
import { createSigner, type Signer } from '../audit/signing.js';
import { codeOf, hashOfBundle } from '../temporal/code-version.js';
import { VERSION } from '../domain/version.js';
import { runCommand } from './operator/environment.js';

const ROOT = new URL('../../', import.meta.url);
const RELEASES = new URL('releases/', ROOT);
const BUNDLE = new URL('dist/workflow-bundle.js', ROOT);
const KEY_BYTES = 32;

function release(): void {
  const signer = readSigner();
  const bundle = readFileSync(BUNDLE, 'utf8');
  const made: Release = { version: VERSION, workflow_bundle: hashOfBundle(bundle) };
  const { all, keyId } = openReleases(RELEASES, [RELEASE_KEY_ID, ...RETIRED_RELEASE_KEY_IDS]);
  const before = all.find(({ version }) => version === VERSION);
  if (before?.workflow_bundle === made.workflow_bundle && keyId !== RELEASE_KEY_ID) {
    writeList(all, signer);
    console.log('The list of releases is signed with the new key.');
    return;
  }
  if (before?.workflow_bundle === made.workflow_bundle) {
    console.log(`${VERSION} is released with these workflows already.`);
    return;
  }
  if (before !== undefined) {
    throw new Error(
      `${VERSION} was released with other workflows, and a release is never changed: raise the version in package.json and domain/version.ts.`,
    );
  }
  mkdirSync(new URL(`${VERSION}/`, RELEASES), { recursive: true });
  writeFileSync(new URL(bundleFileOf(made), RELEASES), gzipSync(codeOf(bundle), { level: 9 }));
  writeList([...all, made], signer);
  console.log(`Released the workflows of ${VERSION}: ${made.workflow_bundle}.`);
  console.log('Record its histories, too, if that is not done: npm run histories:record.');
}

function writeList(releases: readonly Release[], signer: Signer): void {
  const list = signReleases(releases, signer);
  writeFileSync(new URL(LIST_FILE, RELEASES), `${JSON.stringify(list, null, 2)}\n`);
}

function readSigner(): Signer {
  const seed = Buffer.from(process.env['RELEASE_SIGNING_KEY'] ?? '', 'base64');
  if (seed.length !== KEY_BYTES) {
    throw new Error('Set RELEASE_SIGNING_KEY to the key of releases: 32 bytes in base64.');
  }
  const signer = createSigner(seed);
  if (signer.keyId !== RELEASE_KEY_ID) {
    throw new Error('RELEASE_SIGNING_KEY is not the key of releases (audit/release-key.ts).');
  }
  return signer;
}

await runCommand(() => Promise.resolve().then(release));
