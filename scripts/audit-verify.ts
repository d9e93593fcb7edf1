/**
 * `npm run audit:verify -- <file> [--key <key id>]`: proves an audit bundle, without server and
 * network. Exit code 0: proved; 1: refused; 2: nothing is wrong, but it could not be replayed.
 */
import { readFileSync } from 'node:fs';
import { DefaultLogger, makeTelemetryFilterString, Runtime } from '@temporalio/worker';
import { RELEASE_KEY_ID } from '../audit/release-key.js';
import { openReleases } from '../audit/releases.js';
import { replayHistory } from '../audit/replay.js';
import { createSigner, publicKeyOf } from '../audit/signing.js';
import { printable } from '../audit/timeline.js';
import { verifyBundle, type KnownCode, type Verdict } from '../audit/verify.js';
import { codeOf, hashOfBundle } from '../temporal/code-version.js';
import { operatorEnvironment, runCommand } from './operator/environment.js';

const ROOT = new URL('../../', import.meta.url);
const NOT_REPLAYED = 2;
/** What the SDK has to say of a replay that fails, the verdict says. */
const QUIET = makeTelemetryFilterString({ core: 'ERROR', other: 'ERROR' });

async function verify(words: readonly string[]): Promise<void> {
  const { file, keys } = parse(words);
  Runtime.install({
    logger: new DefaultLogger('ERROR'),
    telemetryOptions: { logging: { filter: QUIET } },
  });
  const verdict = await verifyBundle(readFileSync(file), {
    trustedKeys: [...keys, ...ownKeys()],
    findCode,
    replay: replayHistory,
  });
  tell(file, verdict);
}

function parse(words: readonly string[]): { file: string; keys: readonly string[] } {
  const keys: string[] = [];
  const files: string[] = [];
  for (let at = 0; at < words.length; at += 1) {
    const word = words[at] ?? '';
    if (word === '--key') {
      at += 1;
      keys.push(words[at] ?? '');
    } else {
      files.push(word);
    }
  }
  const [file, ...rest] = files;
  if (file === undefined || rest.length > 0) {
    throw new Error('Use it as: npm run audit:verify -- <file> [--key <key id>]');
  }
  return { file, keys };
}

/** Of this installation, where it is one. */
function ownKeys(): readonly string[] {
  const { AUDIT_SIGNING_KEY = '', AUDIT_KEYS_PREVIOUS = '' } = operatorEnvironment();
  const previous = AUDIT_KEYS_PREVIOUS.split(',').filter((key) => key.trim() !== '');
  return [
    ...(AUDIT_SIGNING_KEY === ''
      ? []
      : [createSigner(Buffer.from(AUDIT_SIGNING_KEY, 'base64')).keyId]),
    ...previous.map((key) => publicKeyOf(Buffer.from(key.trim(), 'hex')).keyId),
  ];
}

/** A release counts; what is built from this copy does for what it has decided itself. */
function findCode(hash: string): KnownCode | null {
  const released = openReleases(new URL('releases/', ROOT), [RELEASE_KEY_ID]).findCode(hash);
  if (released !== null) {
    return { code: released.code, origin: `release ${released.version}` };
  }
  const own = readFileSync(new URL('dist/workflow-bundle.js', ROOT), 'utf8');
  return hashOfBundle(own) === hash
    ? { code: codeOf(own), origin: 'this copy, which is no release' }
    : null;
}

function tell(file: string, verdict: Verdict): void {
  if (verdict.kind === 'refused') {
    console.error(`REFUSED  ${file}\n${printable(verdict.problem)}`);
    process.exitCode = 1;
    return;
  }
  verdict.facts.forEach((fact) => {
    console.log(fact);
  });
  if (verdict.kind === 'not-replayed') {
    console.log(
      `NOT REPLAYED  ${file}\nUnchanged since it was signed, but ${printable(verdict.why)}.`,
    );
    process.exitCode = NOT_REPLAYED;
    return;
  }
  console.log(`PROVED  ${file}`);
}

await runCommand(() => verify(process.argv.slice(2)));
