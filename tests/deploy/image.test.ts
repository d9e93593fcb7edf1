/** The image of our own processes, as far as it can be judged without building it. */
import { readdirSync, readFileSync, statSync } from 'node:fs';
import { isBuiltin } from 'node:module';
import { VERSION } from '../../domain/version.js';

const read = (file: string) => readFileSync(file, 'utf8');

test('one release is named everywhere', () => {
  const manifests = readdirSync('deploy/kubernetes', { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.yaml'))
    .map((name) => read(`deploy/kubernetes/${name}`));
  const images = manifests.flatMap((text) => [...text.matchAll(/image: agentforge:(.*)/g)]);
  expect(images.length).toBeGreaterThan(3);
  const lock = JSON.parse(read('package-lock.json'));
  const released = JSON.parse(read('releases/list.json')).releases.at(-1);
  expect({
    images: [...new Set(images.map(([, tag]) => tag))],
    package: JSON.parse(read('package.json')).version,
    lock: [lock.version, lock.packages[''].version],
    buildId: /--build-id (\S+)/.exec(read('docs/production.md'))?.[1],
    changelog: /^## (\d\S*)/m.exec(read('CHANGELOG.md'))?.[1],
    released: released.version,
  }).toEqual({
    images: [VERSION],
    package: VERSION,
    lock: [VERSION, VERSION],
    ...{ buildId: VERSION, changelog: VERSION, released: VERSION },
  });
});

const dockerfile = read('Dockerfile');
const lastFixture = dockerfile.slice(dockerfile.lastIndexOf('\nFROM'));

test('is run by a user without rights, and carries only what is built', () => {
  expect(lastFixture).toMatch(/^USER node$/m);
  expect(lastFixture).not.toMatch(/^(?:RUN|ADD|ARG)/m);
  const copied = [...lastFixture.matchAll(/^COPY (.*)$/gm)].map(([, what]) => what);
  expect(copied).toEqual([
    '--from=packages /app/node_modules ./node_modules',
    '--from=build /app/dist ./dist',
    'releases ./releases',
    'package.json ./',
  ]);
});

test('is built from every layer of the sources, and from nothing else', () => {
  const rooms: string[] = JSON.parse(readFileSync('tsconfig.json', 'utf8')).include;
  const sent = [...readFileSync('.dockerignore', 'utf8').matchAll(/^!(.*)$/gm)].map(([, it]) => it);
  const settings = ['package.json', 'package-lock.json', '.npmrc', 'tsconfig.json'];
  expect(sent.sort()).toEqual(
    [
      ...settings,
      'tsconfig.build.json',
      'releases',
      ...rooms.filter((it) => !/^(?:tests|bench)$/.test(it)),
    ].sort(),
  );
});

/** Each package that the built code names, with the first file that names it. */
function importedPackages(folder: string): Map<string, string> {
  const files = readdirSync(folder, { recursive: true, encoding: 'utf8' })
    .map((name) => `${folder}/${name}`)
    .filter((file) => file.endsWith('.js') && statSync(file).isFile());
  const found = new Map<string, string>();
  for (const file of files) {
    for (const [, name = ''] of readFileSync(file, 'utf8').matchAll(
      /^(?:import|export) .*?from '([^.][^']*)';$/gm,
    )) {
      const [first = '', second = ''] = name.split('/');
      found.set(first.startsWith('@') ? `${first}/${second}` : first, file);
    }
  }
  return found;
}

test('holds every package that its processes import', () => {
  const { dependencies } = JSON.parse(readFileSync('package.json', 'utf8'));
  const rooms = ['activities', 'api', 'collector', 'config', 'db', 'domain', 'events', 'llm'];
  const more = ['telemetry', 'temporal', 'worker', 'scripts/operator'];
  const missing = [...rooms, ...more]
    .flatMap((room) => [...importedPackages(`dist/${room}`)])
    .filter(([name]) => !isBuiltin(name) && !(name in dependencies));
  expect(missing).toEqual([]);
});
