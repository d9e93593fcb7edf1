/** Workflows of users: the check of a vendor key, the deletion of an account, and the removal of all others. */
import { randomUUID } from 'node:crypto';
import { isGrpcServiceError, WorkflowNotFoundError } from '@temporalio/client';
import { pipelineWorkflowId, type PipelineId, type UserId } from '../../domain/ids.js';
import type { SearchAttributeName } from '../../domain/run/search-attributes.js';
import type { validateKeyWorkflow } from '../../workflows/maintenance/key-check.js';
import { keyCheckStart, userDeletionStart } from './start-options.js';
import {
  KEY_CHECK_TIMEOUT_MS,
  LONG_CALL_TIMEOUT_MS,
  withTimeout,
  type Temporal,
} from './timeouts.js';

/** Has a stored vendor key checked. @returns what the workflow has answered, unparsed */
export async function checkKey(
  temporal: Temporal,
  key: { readonly userId: UserId; readonly keyId: string },
): Promise<unknown> {
  const { client, taskQueue } = temporal;
  return withTimeout(
    temporal,
    () =>
      client.workflow.execute<typeof validateKeyWorkflow>('validateKeyWorkflow', {
        ...keyCheckStart(key, { checkId: randomUUID(), taskQueue }),
        args: [key],
      }),
    KEY_CHECK_TIMEOUT_MS,
  );
}

/** Starts what removes a user whose account is closed; a deletion under way goes on. */
export async function startUserDeletion(temporal: Temporal, userId: UserId): Promise<void> {
  await withTimeout(temporal, () =>
    temporal.client.workflow.start('deleteUserWorkflow', {
      ...userDeletionStart(userId, temporal.taskQueue),
      args: [{ userId }],
    }),
  );
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
 */
export function removeUserWorkflows(temporal: Temporal, userId: UserId): Promise<RemovedWorkflows> {
  return withTimeout(temporal, () => removeSome(temporal, userId), LONG_CALL_TIMEOUT_MS);
}

async function removeSome(temporal: Temporal, userId: UserId): Promise<RemovedWorkflows> {
  const query = `${USER} = '${userId}' AND WorkflowType != 'deleteUserWorkflow'`;
  let found = 0;
  let refused = 0;
  for await (const { workflowId, runId, status } of temporal.client.workflow.list({ query })) {
    if (status.name === 'RUNNING') {
      await terminate(temporal, workflowId, runId);
    }
    found += 1;
    refused += (await isDeleted(temporal, workflowId, runId)) ? 0 : 1;
    if (found === PAGE) {
      break;
    }
  }
  return { found, refused };
}

/** Ends a run of a user who is being deleted, without its closing steps. */
export async function terminateRun(temporal: Temporal, pipelineId: PipelineId): Promise<void> {
  await withTimeout(temporal, () => terminate(temporal, pipelineWorkflowId(pipelineId)));
}

/** A workflow that has ended meanwhile needs no ending. */
async function terminate({ client }: Temporal, workflowId: string, runId?: string): Promise<void> {
  try {
    await client.workflow.getHandle(workflowId, runId).terminate('its user is being deleted');
  } catch (error) {
    if (!(error instanceof WorkflowNotFoundError)) {
      throw error;
    }
  }
}

/** @returns false if the server does not let us */
async function isDeleted(
  { client }: Temporal,
  workflowId: string,
  runId: string,
): Promise<boolean> {
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
