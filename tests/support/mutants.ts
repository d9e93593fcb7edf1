/** Copies of the workflow code with one mistake each, bundled as a release would be. */
import { cpSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { bundleWorkflowCode, DefaultLogger } from '@temporalio/worker';
import { makePlaceInCheckout } from './checkout-place.js';

export interface Mutation {
  readonly title: string;
  /** Where, under `workflows/`. */
  readonly file: string;
  /** Stands there exactly once. */
  readonly from: string;
  readonly to: string;
}

/** What workflows are made of; anything else that they import, they import as a type. */
const SOURCES = ['workflows', 'domain'];

/** @returns the bundle's code. @throws where the code does not have what is to be changed */
export async function bundleMutant({ file, from, to }: Mutation): Promise<string> {
  const copy = makePlaceInCheckout('mutants');
  try {
    SOURCES.forEach((room) => {
      cpSync(room, join(copy, room), { recursive: true });
    });
    const path = join(copy, 'workflows', file);
    const parts = readFileSync(path, 'utf8').split(from);
    if (parts.length !== 2) {
      throw new Error(
        `${file} has ${parts.length - 1} × "${from}": adapt the mutation to the code`,
      );
    }
    writeFileSync(path, parts.join(to));
    return await bundle(join(copy, 'workflows'));
  } finally {
    rmSync(copy, { recursive: true });
  }
}

async function bundle(folder: string): Promise<string> {
  const { code } = await bundleWorkflowCode({
    workflowsPath: join(folder, 'index.ts'),
    workflowInterceptorModules: [join(folder, 'interceptors.ts')],
    logger: new DefaultLogger('WARN'),
    webpackConfigHook: (config) => ({
      ...config,
      resolve: { ...config.resolve, extensionAlias: { '.js': ['.ts', '.js'] } },
    }),
  });
  return code;
}
