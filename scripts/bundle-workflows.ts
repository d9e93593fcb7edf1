/** Bundles the built workflows for the worker's sandbox, once at build time. */
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { bundleWorkflowCode, DefaultLogger } from '@temporalio/worker';
import { z } from 'zod';

const dist = new URL('../', import.meta.url);
const workflowsPath = fileURLToPath(new URL('workflows/index.js', dist));
const interceptors = fileURLToPath(new URL('workflows/interceptors.js', dist));
const bundlePath = fileURLToPath(new URL('workflow-bundle.js', dist));

/** Source: @temporalio/worker, `extractSourceMap`. */
const SOURCE_MAP = 'base64,';
const sourceMap = z.record(z.string(), z.unknown());

const bundled = await bundleWorkflowCode({
  workflowsPath,
  workflowInterceptorModules: existsSync(interceptors) ? [interceptors] : [],
  preloadModules: rulesOf(new URL('workflows/', dist)),
  logger: new DefaultLogger('WARN'),
});
const code = withoutSources(bundled.code);
if (!existsSync(bundlePath) || readFileSync(bundlePath, 'utf8') !== code) {
  writeFileSync(bundlePath, code);
}

/**
 * The bundle without the text of its sources, which the SDK would keep in the memory of two threads of
 * every worker (about 15 MB). Stack traces need names and lines only.
 */
function withoutSources(bundle: string): string {
  const start = bundle.lastIndexOf(SOURCE_MAP) + SOURCE_MAP.length;
  const map = sourceMap.parse(JSON.parse(Buffer.from(bundle.slice(start), 'base64').toString()));
  delete map['sourcesContent'];
  return bundle.slice(0, start) + Buffer.from(JSON.stringify(map)).toString('base64');
}

/**
 * What workflows take from domain/: pure functions and constants, without a state of a run. So a
 * worker evaluates these modules once, and not anew for each run.
 */
function rulesOf(workflows: URL): string[] {
  const sources = readdirSync(workflows, { recursive: true, encoding: 'utf8' }).filter((name) =>
    name.endsWith('.js'),
  );
  const imported = sources.flatMap((name) => {
    const file = new URL(name, workflows);
    const source = readFileSync(file, 'utf8');
    return [...source.matchAll(/ from '((?:\.\.\/)+domain\/[\w/-]+\.js)';/g)].map(([, path = '']) =>
      fileURLToPath(new URL(path, file)),
    );
  });
  return [...new Set(imported)].toSorted();
}
