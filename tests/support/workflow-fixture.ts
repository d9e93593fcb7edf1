/** The built workflows on the real server, with activities that a test makes up. */
import { NativeConnection, Worker, type InjectedSinks } from '@temporalio/worker';
import { createDataConverter, type TemporalClient } from '../../temporal/connection.js';
import { testServers } from './servers.js';
import { connectTestTemporal } from './temporal.js';

/** They seal the payloads. */
export const FIXTURE_KEYS = [Buffer.alloc(32, 7)];

/** What a worker or a replay needs to know beside the server. */
export const FIXTURE_CODE = {
  workflowBundle: {
    codePath: new URL('../../dist/workflow-bundle.js', import.meta.url).pathname,
  },
  dataConverter: createDataConverter(FIXTURE_KEYS),
};

export interface WorkflowFixture {
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

export async function openWorkflowFixture(): Promise<WorkflowFixture> {
  const { temporalAddress: address, temporalNamespace: namespace } = testServers();
  const temporal = await connectTestTemporal(FIXTURE_KEYS);
  const connection = await NativeConnection.connect({ address });
  return {
    temporal,
    workerOf: (taskQueue, activities, code, sinks = {}) =>
      Worker.create({
        ...FIXTURE_CODE,
        ...(code === undefined ? {} : { workflowBundle: { code } }),
        ...{ connection, namespace, taskQueue, activities, sinks },
      }),
    async close() {
      await connection.close();
      await temporal.close();
    },
  };
}
