/** Bundles the built workflows for the worker's sandbox, once at build time. */
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { bundleWorkflowCode, DefaultLogger } from '@temporalio/worker';

const dist = new URL('../', import.meta.url);
const workflowsPath = fileURLToPath(new URL('workflows/index.js', dist));
const interceptors = fileURLToPath(new URL('workflows/interceptors.js', dist));
const bundlePath = fileURLToPath(new URL('workflow-bundle.js', dist));

const { code } = await bundleWorkflowCode({
  workflowsPath,
  workflowInterceptorModules: existsSync(interceptors) ? [interceptors] : [],
  logger: new DefaultLogger('WARN'),
});
if (!existsSync(bundlePath) || readFileSync(bundlePath, 'utf8') !== code) {
  writeFileSync(bundlePath, code);
}
