/** The namespace of the product on a real server, which has none at first. */
import { Connection } from '@temporalio/client';
import { msToTs } from '@temporalio/common/lib/time.js';
import { registerSearchAttributes } from '../../temporal/search-attributes.js';
import { NAMESPACE, RETENTION } from './temporal.js';

/** Source: gRPC status codes. */
const NOT_FOUND = 5;
const ALREADY_EXISTS = 6;

/** Makes it and its search attributes where they are missing; answers whether all services serve it. */
export async function isNamespaceReady(address: string): Promise<boolean> {
  try {
    const connection = await Connection.connect({ address });
    try {
      await makeNamespace(connection);
      await registerSearchAttributes(connection, NAMESPACE);
      await askServices(connection);
      return true;
    } finally {
      await connection.close();
    }
  } catch {
    return false; // not up yet, or this namespace is not yet known to all of it
  }
}

async function makeNamespace({ workflowService }: Connection): Promise<void> {
  await workflowService
    .registerNamespace({
      namespace: NAMESPACE,
      workflowExecutionRetentionPeriod: msToTs(RETENTION),
    })
    .catch(ignore(ALREADY_EXISTS));
}

/** @throws the gRPC error of a service that is not there yet */
async function askServices({ workflowService }: Connection): Promise<void> {
  const namespace = NAMESPACE;
  const missing = 'missing';
  await workflowService.countWorkflowExecutions({
    namespace,
    query: `AgentForgeUserId = '${missing}'`,
  });
  await workflowService.describeTaskQueue({ namespace, taskQueue: { name: missing } });
  await workflowService
    .describeWorkflowExecution({ namespace, execution: { workflowId: missing } })
    .catch(ignore(NOT_FOUND));
}

function ignore(code: number): (error: unknown) => void {
  return (error) => {
    if (!(error instanceof Error && 'code' in error && error.code === code)) {
      throw error;
    }
  };
}
