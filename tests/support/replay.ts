/** The recorded histories of every released version, and their replay. */
import { readdirSync, readFileSync } from 'node:fs';
import { Worker, type WorkflowBundleOption } from '@temporalio/worker';
import { createDataConverter } from '../../temporal/connection.js';
import { HISTORY_KEY } from './history-key.js';

export const HISTORIES = new URL('../histories/', import.meta.url);

/** `<version>/<name>.json` */
export const recordings: readonly string[] = readdirSync(HISTORIES).flatMap((version) =>
  readdirSync(new URL(`${version}/`, HISTORIES)).map((file) => `${version}/${file}`),
);

export function readHistory(recording: string) {
  return JSON.parse(readFileSync(new URL(recording, HISTORIES), 'utf8'));
}

/** @throws DeterminismViolationError where the code would have done something else */
export function replay(history: unknown, workflowBundle: WorkflowBundleOption): Promise<void> {
  const dataConverter = createDataConverter([Buffer.from(HISTORY_KEY, 'base64')]);
  return Worker.runReplayHistory({ workflowBundle, dataConverter }, history);
}
