/** Whether code makes the very decisions that a history tells. Needs no server. */
import { Worker, type InjectedSinks } from '@temporalio/worker';
import type { DecisionSinks, DifferingTurn } from '../domain/discussion/decision-hash.js';
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

/** What a replay has to listen to: no command shows that a turn is decided otherwise than recorded. */
export function decisionSinks(
  differs: (turn: DifferingTurn) => void,
): InjectedSinks<DecisionSinks> {
  return {
    decisions: {
      differs: {
        fn(_, turn) {
          differs(turn);
        },
        callDuringReplay: true,
      },
    },
  };
}

/** @param code of a workflow bundle, without a source map @throws what the SDK finds, in its words */
export async function replayHistory(
  contents: readonly ContentEntry[],
  code: string,
): Promise<void> {
  const differing: string[] = [];
  const events = contents.filter(isOf('event')).map(({ data }) => data);
  const [history] = contents.filter(isOf('history'));
  await Worker.runReplayHistory(
    {
      workflowBundle: { code: bundleOf(code) },
      sinks: decisionSinks(({ messageId }) => void differing.push(messageId)),
    },
    replayableHistory(events),
    history?.data.workflow_id,
  );
  if (differing.length > 0) {
    throw new Error(
      `otherwise decided than recorded: the turns of messages ${differing.join(', ')}`,
    );
  }
}
