import {
  chmodSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import {
  findTemporalPrograms,
  TEMPORAL_VERSION,
} from '../../scripts/embedded/temporal-programs.js';

let directory = '';
let bin = '';
let toolsDir = '';
const said: string[] = [];
const say = (line: string): void => {
  said.push(line);
};

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'temporal-programs-test-'));
  bin = join(directory, 'bin');
  toolsDir = join(directory, 'tools');
  mkdirSync(bin);
  said.length = 0;
});
afterEach(() => {
  rmSync(directory, { recursive: true });
});

/** A stand-in for Go: building the real one takes minutes. */
function putGo(script: string): void {
  writeFileSync(join(bin, 'go'), `#!/bin/sh\n${script}\n`);
  chmodSync(join(bin, 'go'), 0o755);
}

test('the version is the one that compose runs', () => {
  expect(readFileSync('docker-compose.yml', 'utf8')).toContain(
    `temporalio/server:${TEMPORAL_VERSION}\n`,
  );
});

test('without Go the cure is told', async () => {
  await expect(findTemporalPrograms({ toolsDir, say, path: bin })).rejects.toThrow(
    "Temporal's real server is built with Go: install it (https://go.dev/doc/install), or unset AGENTFORGE_TEST_TEMPORAL.",
  );
});

test('a build that fails is told with its reason and leaves nothing behind', async () => {
  putGo('echo "go: requires go >= 9.9" >&2; exit 1');
  await expect(findTemporalPrograms({ toolsDir, say, path: bin })).rejects.toThrow(
    /could not be built: .*\(go: requires go >= 9\.9\)/,
  );
  expect(readdirSync(toolsDir)).toEqual([]);
});

test('the server and its schema tool are built once', async () => {
  putGo('echo "$@" > "$GOBIN/asked"; touch "$GOBIN/server" "$GOBIN/sql"');
  const path = [bin, '/usr/bin', '/bin'].join(delimiter);
  const programs = await findTemporalPrograms({ toolsDir, say, path });
  putGo('exit 1');
  expect(await findTemporalPrograms({ toolsDir, say, path })).toEqual(programs);
  const target = join(toolsDir, `temporal-server-${TEMPORAL_VERSION}`);
  expect(programs).toEqual({ server: join(target, 'server'), sqlTool: join(target, 'sql') });
  expect(readFileSync(join(target, 'asked'), 'utf8')).toContain(
    `go.temporal.io/server/cmd/server@v${TEMPORAL_VERSION}`,
  );
  expect(said).toEqual([
    `Building Temporal's server ${TEMPORAL_VERSION} (once, takes some minutes) …`,
  ]);
});
