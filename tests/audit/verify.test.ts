/** What proves a bundle, and what refuses it, with the releases of this repository. */
import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { gunzipSync, gzipSync } from 'node:zlib';
import { DefaultLogger, Runtime } from '@temporalio/worker';
import type { ContentEntry } from '../../audit/contents.js';
import { RELEASE_KEY_ID } from '../../audit/release-key.js';
import { openReleases, signReleases } from '../../audit/releases.js';
import { replayHistory } from '../../audit/replay.js';
import { verifyBundle, type KnownCode } from '../../audit/verify.js';
import { codeOf, codeVersionOf } from '../../temporal/code-version.js';
import { contentsOfRecording, signed, TEST_SIGNER } from '../support/bundles.js';

const RELEASES = new URL('../../releases/', import.meta.url);
const BUNDLES = new URL('../bundles/', import.meta.url);
const BUILT = readFileSync(new URL('../../dist/workflow-bundle.js', import.meta.url), 'utf8');
const { version, workflowBundle } = codeVersionOf(BUILT);
const OWN = { version, workflow_bundle: workflowBundle };

beforeAll(() => {
  Runtime.install({ logger: new DefaultLogger('ERROR') });
});

function findReleased(hash: string): KnownCode | null {
  const found = openReleases(RELEASES, [RELEASE_KEY_ID]).findCode(hash);
  return found && { code: found.code, origin: `release ${found.version}` };
}

const findOwn = (hash: string): KnownCode | null =>
  hash === workflowBundle ? { code: codeOf(BUILT), origin: 'this copy' } : null;

const verify = (text: string, findCode = findOwn, trustedKeys = [TEST_SIGNER.keyId]) =>
  verifyBundle(Buffer.from(text), { trustedKeys, findCode, replay: replayHistory });

describe('a bundle that a release before this one made', () => {
  const file = readFileSync(new URL('0.2.0-pipeline-parallel.json', BUNDLES), 'utf8');

  test('is proved by the workflows of that release', async () => {
    expect(await verify(file, findReleased)).toMatchObject({
      kind: 'proved',
      facts: [/^Chain: 32 entries/, /^Signature/, /^Replay: 28 events.* release 0\.2\.0/].map(
        (fact) => expect.stringMatching(fact),
      ),
    });
  });

  test('is refused with a changed byte in any part of it', async () => {
    const bytes = Buffer.from(file);
    for (let at = 0; at < bytes.length; at += 97) {
      const changed = Buffer.from(bytes);
      changed[at] = (changed[at] ?? 0) ^ 1;
      const verdict = await verifyBundle(changed, {
        trustedKeys: [TEST_SIGNER.keyId],
        findCode: () => {
          throw new Error('no code is asked for what is not intact');
        },
        replay: replayHistory,
      });
      expect(verdict.kind).toBe('refused');
    }
  });
});

test('what this copy has decided is proved by what it is built from', async () => {
  const contents = await contentsOfRecording('0.2.0/pipeline-failed', OWN);
  expect(await verify(signed(contents))).toMatchObject({ kind: 'proved' });
});

test('a history that the code would not have made is refused, however well it is signed', async () => {
  const contents = await contentsOfRecording('0.2.0/pipeline-parallel', OWN);
  const forged = JSON.parse(
    JSON.stringify(contents).replaceAll('"name":"runAgent"', '"name":"payMe"'),
  ) as ContentEntry[];
  expect(await verify(signed(forged))).toEqual({
    kind: 'refused',
    problem: expect.stringMatching(/^history: not what the workflows of this copy decide:.*payMe/s),
  });
});

test('a good signature of a stranger is refused, and says how to trust it', async () => {
  const contents = await contentsOfRecording('0.2.0/pipeline-failed', OWN);
  expect(await verify(signed(contents), findOwn, [])).toEqual({
    kind: 'refused',
    problem: expect.stringContaining(`--key ${TEST_SIGNER.keyId}`),
  });
});

test('without its history, or its code, a bundle is intact and not replayed', async () => {
  const contents = await contentsOfRecording('0.2.0/pipeline-failed', OWN);
  const strange = { version: '0.1.0', workflow_bundle: '0'.repeat(64) };
  const unknown = contents.map((entry) =>
    entry.kind === 'code' ? ({ kind: 'code', data: strange } as const) : entry,
  );
  expect(await verify(signed(unknown))).toMatchObject({
    kind: 'not-replayed',
    why: expect.stringContaining('of 0.1.0 with the bundle 000'),
  });
  const lost = contents.flatMap((entry): readonly ContentEntry[] =>
    entry.kind === 'history'
      ? [{ kind: 'history', data: { ...entry.data, state: 'lost', events: 0 } }]
      : entry.kind === 'event'
        ? []
        : [entry],
  );
  expect(await verify(signed(lost))).toMatchObject({
    kind: 'not-replayed',
    why: 'Temporal had lost the history before the run was archived',
  });
  const short = contents.filter(({ kind }) => kind !== 'event');
  expect(await verify(signed(short))).toMatchObject({ kind: 'refused' });
});

describe('releases', () => {
  let copy = '';
  beforeEach(() => {
    copy = mkdtempSync(join(tmpdir(), 'releases-'));
    cpSync(RELEASES, copy, { recursive: true });
  });
  afterEach(() => {
    rmSync(copy, { recursive: true });
  });
  const open = (keyId = RELEASE_KEY_ID) => openReleases(pathToFileURL(`${copy}/`), [keyId]);

  test('are each what was released', () => {
    const { all, findCode } = open();
    expect(all.map((release) => release.version)).toContain('0.2.0');
    for (const release of all) {
      expect(findCode(release.workflow_bundle)?.version).toBe(release.version);
    }
    expect(findCode('0'.repeat(64))).toBeNull();
  });

  test('are refused by name where a bundle or the list was changed', () => {
    const [release] = open().all;
    const hash = release?.workflow_bundle ?? '';
    const file = join(copy, '0.2.0/workflow-bundle.js.gz');
    writeFileSync(file, gzipSync(`${gunzipSync(readFileSync(file)).toString()} `));
    expect(() => open().findCode(hash)).toThrow('0.2.0/workflow-bundle.js.gz is not what was');
    const list = join(copy, 'list.json');
    const text = readFileSync(list, 'utf8');
    writeFileSync(list, text.replace(hash, '0'.repeat(64)));
    expect(() => open()).toThrow('list.json of releases is not what was signed');
    writeFileSync(list, JSON.stringify(signReleases([], TEST_SIGNER)));
    expect(() => open()).toThrow('list.json of releases is not what was signed');
    expect(open(TEST_SIGNER.keyId).all).toEqual([]);
  });
});
