import { isGrpcServiceError, type Client } from '@temporalio/client';
import proto from '@temporalio/proto'; // CommonJS whose names Node cannot see

/** Source: gRPC, status codes. */
const NOT_FOUND = 5;
const { History } = proto.temporal.api.history.v1;

export interface KeyUsage {
  /** Workflows that still run. */
  readonly open: number;
  /** Ended ones whose histories Temporal retains. */
  readonly retained: number;
}

/**
 * Counts the workflows in whose histories a key id appears. A payload names its key in plain
 * metadata, so nothing has to be decoded; an id of 8 hex digits does not turn up by chance.
 */
export async function findKeyUsage(client: Client, keyId: string): Promise<KeyUsage> {
  const usage = { open: 0, retained: 0 };
  const name = Buffer.from(keyId, 'utf8');
  for await (const { workflowId, runId, status } of client.workflow.list()) {
    if (await names(client, { workflowId, runId, name })) {
      usage[status.name === 'RUNNING' ? 'open' : 'retained'] += 1;
    }
  }
  return usage;
}

async function names(
  client: Client,
  run: { workflowId: string; runId: string; name: Buffer },
): Promise<boolean> {
  const { workflowService } = client.connection;
  const { workflowId, runId, name } = run;
  let nextPageToken = new Uint8Array();
  do {
    const page = await workflowService
      .getWorkflowExecutionHistory({
        namespace: client.options.namespace,
        execution: { workflowId, runId },
        nextPageToken,
      })
      .catch(noneIfForgotten);
    const bytes = History.encode(page?.history ?? {}).finish();
    if (Buffer.from(bytes).includes(name)) {
      return true;
    }
    nextPageToken = Uint8Array.from(page?.nextPageToken ?? []);
  } while (nextPageToken.length > 0);
  return false;
}

/** Its retention may end between the list and the look. */
function noneIfForgotten(error: unknown): null {
  const code: number | null = isGrpcServiceError(error) ? error.code : null;
  if (code === NOT_FOUND) {
    return null;
  }
  throw error;
}
