/** Whether code makes the very decisions that a history tells. Needs no server. */
import { Worker } from '@temporalio/worker';
import { isOf, type ContentEntry } from './contents.js';
import { replayableHistory } from './history.js';

/** The SDK wants a source map, and what it would tell is where our machines had the sources. */
const NO_SOURCE_MAP = Buffer.from(
  JSON.stringify({ version: 3, file: 'workflow-bundle.js', sources: [], names: [], mappings: '' }),
).toString('base64');

/** @param code as released; its hash stays what it was */
export function bundleOf(code: string): string {
  return `${code}//# sourceMappingURL=data:application/json;base64,${NO_SOURCE_MAP}`;
}

/** @param code of a workflow bundle, without a source map @throws what the SDK finds, in its words */
export async function replayHistory(
  contents: readonly ContentEntry[],
  code: string,
): Promise<void> {
  const events = contents.filter(isOf('event')).map(({ data }) => data);
  const [history] = contents.filter(isOf('history'));
  await Worker.runReplayHistory(
    { workflowBundle: { code: bundleOf(code) } },
    replayableHistory(events),
    history?.data.workflow_id,
  );
}
