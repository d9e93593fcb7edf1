/** All that Temporal keeps of a user, found by the search attribute that each workflow carries. */
import { isGrpcServiceError, WorkflowNotFoundError, type Client } from '@temporalio/client';
import type { UserId } from '../../domain/ids.js';
import type { SearchAttributeName } from '../../domain/search-attributes.js';
import { userDeletionStart } from './start-options.js';

/**
 * Starts what removes a user whose account is closed; where it goes on already, it goes on.
 *
 * @throws while the server does not answer
 */
export async function startUserDeletion(
  { client, taskQueue }: { readonly client: Client; readonly taskQueue: string },
  userId: UserId,
): Promise<void> {
  await client.workflow.start('deleteUserWorkflow', {
    ...userDeletionStart(userId, taskQueue),
    args: [{ userId }],
  });
}

export interface RemovedWorkflows {
  /** Also of those that were asked to go before and are on their way still. */
  readonly found: number;
  /** How many of them the server did not let us delete. */
  readonly refused: number;
}

const USER = 'AgentForgeUserId' satisfies SearchAttributeName;
const PAGE = 200;
/** Source: gRPC, status codes. */
const NOT_FOUND = 5;
const PERMISSION_DENIED = 7;
const UNIMPLEMENTED = 12;

/**
 * Ends what still runs of a user's and deletes the histories, some at a time; the deletion itself is
 * left alone. Servers delete later than they answer, and list later than that: repeat it until
 * nothing is found.
 *
 * @throws while the server does not answer
 */
export async function removeUserWorkflows(
  client: Client,
  userId: UserId,
): Promise<RemovedWorkflows> {
  const query = `${USER} = '${userId}' AND WorkflowType != 'deleteUserWorkflow'`;
  let found = 0;
  let refused = 0;
  for await (const { workflowId, runId, status } of client.workflow.list({ query })) {
    if (status.name === 'RUNNING') {
      await terminate(client, workflowId, runId);
    }
    found += 1;
    refused += (await isDeleted(client, workflowId, runId)) ? 0 : 1;
    if (found === PAGE) {
      break;
    }
  }
  return { found, refused };
}

/** One that has ended meanwhile needs no ending. */
export async function terminate(client: Client, workflowId: string, runId?: string): Promise<void> {
  try {
    await client.workflow.getHandle(workflowId, runId).terminate('its user is being deleted');
  } catch (error) {
    if (!(error instanceof WorkflowNotFoundError)) {
      throw error;
    }
  }
}

/** @returns false if the server does not let us */
async function isDeleted(client: Client, workflowId: string, runId: string): Promise<boolean> {
  const { namespace } = client.options;
  try {
    const workflowExecution = { workflowId, runId };
    await client.workflowService.deleteWorkflowExecution({ namespace, workflowExecution });
    return true;
  } catch (error) {
    const code: number | null = isGrpcServiceError(error) ? error.code : null;
    if (code === PERMISSION_DENIED || code === UNIMPLEMENTED) {
      return false;
    }
    if (code !== NOT_FOUND) {
      throw error;
    }
    return true; // it is gone already
  }
}
