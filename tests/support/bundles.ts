/** Audit bundles of runs that were recorded, signed by a key of the tests. */
import { readFileSync } from 'node:fs';
import { historyFromJSON } from '@temporalio/common/lib/proto-utils.js';
import { makeBundle } from '../../audit/bundle.js';
import type { CodeNote, ContentEntry } from '../../audit/contents.js';
import { readableHistory } from '../../audit/history.js';
import { createSigner } from '../../audit/signing.js';
import { createKeyRing } from '../../temporal/key-ring.js';
import { createPayloadCodec } from '../../temporal/payload-codec.js';
import { HISTORY_KEY } from './history-key.js';

const SEED = Buffer.alloc(32, 'agentforge bundles of tests');
export const TEST_SIGNER = createSigner(SEED);
export const TEST_SIGNING_KEY = SEED.toString('base64');

const codec = createPayloadCodec(createKeyRing([Buffer.from(HISTORY_KEY, 'base64')]));
const AT = '2026-11-23T03:52:39.000Z';

/** @param recording as `0.2.0/pipeline-parallel` @param code the code that the bundle names */
export async function contentsOfRecording(
  recording: string,
  code: CodeNote,
): Promise<readonly ContentEntry[]> {
  const file = new URL(`../histories/${recording}.json`, import.meta.url);
  const events = await readableHistory(
    historyFromJSON(JSON.parse(readFileSync(file, 'utf8'))),
    codec,
  );
  const started = JSON.stringify(events[0]);
  const [, pipelineId = ''] = /"workflowId":"pipeline-([0-9a-f-]+)"/.exec(started) ?? [];
  const [, userId = ''] = /\\"userId\\":\\"([0-9a-f-]+)\\"/.exec(started) ?? [];
  return [
    {
      kind: 'run',
      data: {
        ...{ pipeline_id: pipelineId, user_id: userId, conversation_id: null, status: 'completed' },
        ...{ design_name: recording, language: 'en', simulated: true, on_budget: 'stop' },
        ...{ rerun_of: null, reused_nodes: [], created_at: AT, started_at: AT, ended_at: AT },
        ...{ duration_seconds: 0, total_cost: '0.000000000000', result: null },
      },
    },
    { kind: 'code', data: code },
    {
      kind: 'history',
      data: {
        ...{ state: 'archived', run_id: null, events: events.length },
        workflow_id: `pipeline-${pipelineId}`,
      },
    },
    ...events.map((event) => ({ kind: 'event' as const, data: { ...event } })),
    { kind: 'archive', data: { archived_at: AT, archived_by: code } },
  ];
}

export function signed(contents: readonly ContentEntry[]): string {
  return makeBundle(contents, TEST_SIGNER).text;
}
