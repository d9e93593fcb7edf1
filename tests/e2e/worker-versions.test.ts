/**
 * Workers of the last release beside those of this one: what is under way ends, each run on the
 * workflow code that it has begun on.
 */
import { cpSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Client } from '@temporalio/client';
import { discussionWorkflowId, pipelineWorkflowId } from '../../domain/ids.js';
import type { TemporalClient } from '../../temporal/connection.js';
import { readCodeVersion } from '../../worker/bundle.js';
import { enter } from '../support/newcomers.js';
import type { Person } from '../support/person.js';
import { DIST, type ProductProcess } from '../support/product.js';
import { testServers } from '../support/servers.js';
import { temporalOf } from '../support/temporal.js';
import { until } from '../support/until.js';
import { startVendorProduct, type VendorProduct } from '../support/vendor-product.js';
import { RELEASE_KEY_ID } from '../../audit/release-key.js';
import { openReleases } from '../../audit/releases.js';
import { bundleOf } from '../../audit/replay.js';
import { hashOfBundle } from '../../temporal/code-version.js';
import { makePlaceInCheckout } from '../support/checkout-place.js';

const RUNS = 200;
/** Ordered at the same time: the machine has other things to do. */
const AT_ONCE = 20;
const DEPLOYMENT = `agentforge-${process.pid}`;
const NAMESPACE = testServers().temporalNamespace;

let earlier: EarlierBuild;
let fixture: VendorProduct;
let temporal: TemporalClient;
let client: Client;
beforeAll(async () => {
  earlier = makeEarlierBuild();
  fixture = await startVendorProduct({
    workers: 0,
    env: {
      SIMULATED_MODELS: 'false',
      DEFAULT_LLM_PROVIDER: 'openai',
      OPENAI_API_KEY: 'sk-stand-in',
      MODEL_CALLS_PER_KEY: String(2 * RUNS),
      WORKER_MAX_ACTIVITIES: String(2 * RUNS),
    },
  });
  temporal = await temporalOf(fixture.product);
  ({ client } = temporal);
});
afterAll(async () => {
  await fixture.close();
  await temporal.close();
  earlier.remove();
});

/** What an operator does once the workers of a new version are ready. */
async function startVersion(buildId: string, dist = DIST): Promise<ProductProcess> {
  const version = { TEMPORAL_DEPLOYMENT_NAME: DEPLOYMENT, TEMPORAL_WORKER_BUILD_ID: buildId };
  const worker = await fixture.product.startWorker(version, dist);
  const order = { namespace: NAMESPACE, deploymentName: DEPLOYMENT, buildId };
  await until(`Temporal knows version ${buildId}`, () =>
    temporal.connection.workflowService.setWorkerDeploymentCurrentVersion(order).then(
      () => true,
      () => false,
    ),
  );
  return worker;
}

const newcomer = () => enter(fixture.product, 'pro');

async function order(person: Person): Promise<string> {
  const agents = ['one', 'two'].map((name) => ({
    name,
    role: 'analyzer',
    llm_model: 'gpt-4o-mini',
    description: `does ${name}`,
  }));
  const design = { name: 'A run', description: 'Something', agents };
  const atOnce = { prefer: 'respond-async' };
  const { status, body } = await person.ask('POST', '/pipelines/execute', { design }, atOnce);
  expect([200, 202]).toContain(status);
  return body.pipeline_id;
}

/** The build that has worked on a workflow last. */
async function buildOf(workflowId: string): Promise<string> {
  const { raw } = await client.workflow.getHandle(workflowId).describe();
  return raw.workflowExecutionInfo?.versioningInfo?.deploymentVersion?.buildId ?? 'none';
}

/** The workflow code that has decided last, by the hash that its worker names. */
async function codeOf(workflowId: string): Promise<string | undefined> {
  const { events } = await client.workflow.getHandle(workflowId).fetchHistory();
  const task = events?.findLast((event) => event.workflowTaskCompletedEventAttributes != null);
  const { identity } = task?.workflowTaskCompletedEventAttributes ?? {};
  return identity?.split('+').at(-1);
}

test('200 runs that are under way end in the version they began in; discussions move on', async () => {
  const { product, vendors } = fixture;
  const first = await startVersion('v1', earlier.dist);
  const hold = Promise.withResolvers<null>();
  vendors.setBehaviour({ kind: 'answer', hold: hold.promise });
  const talker = await newcomer();
  const conversationId = await talker.startConversation();
  const chat = await talker.chat(conversationId);
  chat.send('cancel'); // is answered without a model
  await chat.next('error');
  const runs: string[] = [];
  while (runs.length < RUNS) {
    const some = Array.from({ length: AT_ONCE }, async () => order(await newcomer()));
    runs.push(...(await Promise.all(some)));
  }
  await vendors.until((calls) => calls.length === RUNS);
  expect(await buildOf(discussionWorkflowId(conversationId))).toBe('v1');

  await startVersion('v2');
  const later = await order(await newcomer());
  await vendors.until((calls) => calls.length === RUNS + 1);
  hold.resolve(null);
  chat.send('cancel');
  await chat.next('error');
  await until('all runs have ended', async () => {
    const open = await product.db
      .selectFrom('pipelineExecutions')
      .select('id')
      .where('status', '!=', 'completed')
      .execute();
    return open.length === 0;
  });
  expect(await buildOf(discussionWorkflowId(conversationId))).toBe('v2');
  expect(await buildOf(pipelineWorkflowId(later))).toBe('v2');
  const builds = await Promise.all(runs.map((id) => buildOf(pipelineWorkflowId(id))));
  expect(new Set(builds)).toEqual(new Set(['v1']));
  const [run = ''] = runs;
  const present = await readCodeVersion(`${DIST}workflow-bundle.js`);
  expect(present.workflowBundle).not.toBe(earlier.workflowBundle);
  expect(await codeOf(pipelineWorkflowId(run))).toBe(earlier.workflowBundle);
  expect(await codeOf(pipelineWorkflowId(later))).toBe(present.workflowBundle);
  expect(await codeOf(discussionWorkflowId(conversationId))).toBe(present.workflowBundle);
  expect(vendors.calls).toHaveLength(2 * (RUNS + 1)); // none is made again elsewhere

  expect(await first.stop()).toBe(0);
  chat.send('cancel');
  await chat.next('error');
  await chat.close();
});

interface EarlierBuild {
  readonly version: string;
  /** Hash of its workflow code, as workers name it in their identity. */
  readonly workflowBundle: string;
  /** Ends in `/`. */
  readonly dist: string;
  remove(): void;
}

/** The present processes on the workflows of the last release that had others than the present ones. */
function makeEarlierBuild(): EarlierBuild {
  const releases = openReleases(new URL('../../releases/', import.meta.url), [RELEASE_KEY_ID]);
  const present = hashOfBundle(readFileSync(join(DIST, 'workflow-bundle.js'), 'utf8'));
  const release = releases.all.findLast((it) => it.workflow_bundle !== present);
  const found = releases.findCode(release?.workflow_bundle ?? '');
  if (found === null || release === undefined) {
    throw new Error('no release has other workflows than the present ones');
  }
  const place = makePlaceInCheckout('earlier-builds');
  const dist = `${join(place, 'dist')}/`;
  cpSync(DIST, dist, { recursive: true });
  writeFileSync(join(dist, 'workflow-bundle.js'), bundleOf(found.code));
  return {
    version: release.version,
    workflowBundle: release.workflow_bundle,
    dist,
    remove: () => {
      rmSync(place, { recursive: true });
    },
  };
}
