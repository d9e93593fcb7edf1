/** A worker of bare Temporal: the product's settings and payload codec, and nothing else of it. */
import { fileURLToPath } from 'node:url';
import { Redis } from 'ioredis';
import pg from 'pg';
import { NativeConnection, Runtime, DefaultLogger, Worker } from '@temporalio/worker';
import { loadConfig } from '../../config/config.js';
import { createDataConverter } from '../../temporal/connection.js';
import { WORKER_SETTINGS } from '../../worker/worker.js';
import { sayBareReady } from '../processes.js';
import { createBareActivities } from './activities.js';

Runtime.install({ logger: new DefaultLogger('WARN') });
const config = loadConfig();
const redis = new Redis(config.redisUrl);
const pool = new pg.Pool({
  connectionString: config.databaseUrl,
  max: config.databasePoolSize,
  application_name: 'bare-worker',
});
const connection = await NativeConnection.connect({ address: config.temporal.address });
const worker = await Worker.create({
  ...WORKER_SETTINGS,
  connection,
  taskQueue: config.temporal.taskQueue,
  dataConverter: createDataConverter(config.encryptionKeys),
  activities: createBareActivities({ redis, pool }),
  workflowsPath: fileURLToPath(new URL('workflows.ts', import.meta.url)),
  maxCachedWorkflows: config.maxCachedWorkflows,
  maxConcurrentActivityTaskExecutions: config.maxActivities,
});
sayBareReady();
await worker.run();
await connection.close();
await pool.end();
redis.disconnect();
