/** The recorded histories of every released version, and their replay. */
import { readdirSync, readFileSync } from 'node:fs';
import { Worker, type WorkflowBundleOption } from '@temporalio/worker';
import { z } from 'zod';
import { createDataConverter } from '../../temporal/connection.js';
import { HISTORY_KEY } from './history-key.js';

export const HISTORIES = new URL('../histories/', import.meta.url);

/** `<version>/<name>.json`; the latest version, which has the most kinds, comes first. */
export const recordings: readonly string[] = readdirSync(HISTORIES)
  .sort((one, other) => other.localeCompare(one, 'en', { numeric: true }))
  .flatMap((version) =>
    readdirSync(new URL(`${version}/`, HISTORIES)).map((file) => `${version}/${file}`),
  );

export function readHistory(recording: string) {
  return JSON.parse(readFileSync(new URL(recording, HISTORIES), 'utf8'));
}

const options = (workflowBundle: WorkflowBundleOption) => ({
  workflowBundle,
  dataConverter: createDataConverter([Buffer.from(HISTORY_KEY, 'base64')]),
});

/** @throws DeterminismViolationError where the code would have done something else */
export function replay(history: unknown, workflowBundle: WorkflowBundleOption): Promise<void> {
  return Worker.runReplayHistory(options(workflowBundle), history, workflowIdOf(history));
}

const startSchema = z.object({
  workflowExecutionStartedEventAttributes: z.object({ workflowId: z.string() }),
});

/** Its payloads are sealed for it. */
function workflowIdOf(history: unknown): string {
  const { events } = z.object({ events: z.tuple([startSchema], z.unknown()) }).parse(history);
  return events[0].workflowExecutionStartedEventAttributes.workflowId;
}

/** What replaying it threw; null: nothing. */
export type Replayed = readonly [recording: string, error: Error | null];

/** Replays them in turn, by one worker: each one of its own would compile the bundle anew. */
export async function* replayRecordings(
  workflowBundle: WorkflowBundleOption,
): AsyncGenerator<Replayed> {
  const histories = recordings.map(readHistory);
  const replays = Worker.runReplayHistories(
    options(workflowBundle),
    histories.map((history) => ({ workflowId: workflowIdOf(history), history })),
  );
  let index = 0; // they come in order
  for await (const { error } of replays) {
    yield [recordings[index] ?? '', error ?? null];
    index += 1;
  }
}
