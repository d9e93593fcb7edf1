/** The built workflows on the real server, with activities that a test makes up. */
import { NativeConnection, Worker, type InjectedSinks } from '@temporalio/worker';
import { createDataConverter, type TemporalClient } from '../../temporal/connection.js';
import { testServers } from './servers.js';
import { connectTestTemporal } from './temporal.js';

/** They seal the payloads. */
export const STAGE_KEYS = [Buffer.alloc(32, 7)];

/** What a worker or a replay needs to know beside the server. */
export const STAGE_CODE = {
  workflowBundle: {
    codePath: new URL('../../dist/workflow-bundle.js', import.meta.url).pathname,
  },
  dataConverter: createDataConverter(STAGE_KEYS),
};

export interface WorkflowStage {
  readonly temporal: TemporalClient;
  /** Not running yet. @param code of other workflows than the built ones */
  workerOf(
    taskQueue: string,
    activities: object,
    code?: string,
    sinks?: InjectedSinks<any>,
  ): Promise<Worker>;
  close(): Promise<void>;
}

export async function openWorkflowStage(): Promise<WorkflowStage> {
  const { temporalAddress: address, temporalNamespace: namespace } = testServers();
  const temporal = await connectTestTemporal(STAGE_KEYS);
  const connection = await NativeConnection.connect({ address });
  return {
    temporal,
    workerOf: (taskQueue, activities, code, sinks = {}) =>
      Worker.create({
        ...STAGE_CODE,
        ...(code === undefined ? {} : { workflowBundle: { code } }),
        ...{ connection, namespace, taskQueue, activities, sinks },
      }),
    async close() {
      await connection.close();
      await temporal.close();
    },
  };
}
