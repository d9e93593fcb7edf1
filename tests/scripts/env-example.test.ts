import { readFileSync } from 'node:fs';

/** Names of variables, as the schema in a source declares them. */
function variablesIn(file: string): readonly string[] {
  return [...readFileSync(file, 'utf8').matchAll(/^ {2}([A-Z][A-Z0-9_]+): /gm)].map(
    ([, name]) => name ?? '',
  );
}

/** Names that docker-compose.yml fills in. */
function variablesOfCompose(): readonly string[] {
  const text = readFileSync('docker-compose.yml', 'utf8');
  return [...text.matchAll(/\$\{([A-Z][A-Z0-9_]+)/g)].map(([, name]) => name ?? '');
}

test('.env.example names every variable that is read, and no other', () => {
  const sources = [
    'config/config.ts',
    'config/traces-config.ts',
    'config/watchdog-config.ts',
    'config/collector-config.ts',
    'scripts/start/settings.ts',
  ];
  const read = [...sources.flatMap(variablesIn), ...variablesOfCompose()];
  const example = readFileSync('.env.example', 'utf8');
  const named = [...example.matchAll(/^(?:# )?([A-Z][A-Z0-9_]+)=/gm)].map(([, name]) => name);
  expect(new Set(named)).toEqual(new Set(read));
});
