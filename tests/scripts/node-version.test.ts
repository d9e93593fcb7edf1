import { spawnSync } from 'node:child_process';

const MODULE = new URL('../../config/node-version.ts', import.meta.url).href;

function requireNode(version: string) {
  const script = `import { requireNode } from '${MODULE}'; requireNode('${version}');`;
  const args = ['--input-type=module', '--eval', script];
  return spawnSync(process.execPath, args, { encoding: 'utf8' });
}

test('a Node that is too old is refused in one sentence', () => {
  const { status, stderr } = requireNode('20.20.2');
  expect(status).toBe(1);
  expect(stderr).toMatch(/^Node 20\.20\.2 is too old: AgentForge needs Node 22 or newer.*\n$/);
});

test('a current Node is accepted', () => {
  expect(requireNode('22.0.0').status).toBe(0);
});
