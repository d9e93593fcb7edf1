import { readdirSync, readFileSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import {
  findTemporalPrograms,
  TEMPORAL_VERSION,
} from '../../scripts/embedded/temporal-programs.js';
import { makeOwnPrograms, type OwnPrograms } from '../support/own-programs.js';

let own: OwnPrograms;
beforeEach(() => {
  own = makeOwnPrograms();
});
afterEach(() => {
  own.remove();
});

/** A stand-in for Go: building the real one takes minutes. */
const putGo = (script: string) => {
  own.put('go', script);
};

test('the version is the one that compose runs', () => {
  expect(readFileSync('docker-compose.yml', 'utf8')).toContain(
    `temporalio/server:${TEMPORAL_VERSION}}\n`, // the default of a variable
  );
});

test('without Go the error names the cure', async () => {
  await expect(findTemporalPrograms({ ...own, path: own.bin })).rejects.toThrow(
    "Temporal's real server is built with Go: install it (https://go.dev/doc/install), or unset AGENTFORGE_TEST_TEMPORAL.",
  );
});

test('a build that fails is reported with its reason and leaves nothing behind', async () => {
  putGo('echo "go: requires go >= 9.9" >&2; exit 1');
  await expect(findTemporalPrograms({ ...own, path: own.bin })).rejects.toThrow(
    /could not be built: .*\(go: requires go >= 9\.9\)/,
  );
  expect(readdirSync(own.toolsDir)).toEqual([]);
});

test('the server and its schema tool are built once', async () => {
  putGo('echo "$@" > "$GOBIN/asked"; touch "$GOBIN/server" "$GOBIN/sql"');
  const path = [own.bin, '/usr/bin', '/bin'].join(delimiter);
  const programs = await findTemporalPrograms({ ...own, path });
  putGo('exit 1');
  expect(await findTemporalPrograms({ ...own, path })).toEqual(programs);
  const target = join(own.toolsDir, `temporal-server-${TEMPORAL_VERSION}`);
  expect(programs).toEqual({ server: join(target, 'server'), sqlTool: join(target, 'sql') });
  expect(readFileSync(join(target, 'asked'), 'utf8')).toContain(
    `go.temporal.io/server/cmd/server@v${TEMPORAL_VERSION}`,
  );
  expect(own.said).toEqual([
    `Building Temporal's server ${TEMPORAL_VERSION} (once, takes some minutes) …`,
  ]);
});
