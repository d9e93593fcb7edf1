import { Counter, Gauge, Histogram, type Registry } from 'prom-client';
import type { Rejection } from '../domain/security/rejections.js';
import type { FinalStatus } from '../domain/run/results.js';
import type { RetentionKind } from '../domain/account/retention.js';

/** What the worker's interceptor reports of every activity. */
export interface ActivityMetrics {
  /** @param waitedMs from when the attempt was due to its start, milliseconds */
  queueLatency(activity: string, waitedMs: number): void;
  failed(activity: string): void;
  /** An error of ours ended it. @param where an activity, a turn, a state, or a run */
  mistake(where: string): void;
  /** An attempt begins here and now. @returns to be called when it ends */
  begun(activity: string): () => void;
  /** Something that came over Temporal was not ours, and was not obeyed. */
  rejected(rejection: Rejection): void;
}

export interface WorkerMetrics extends ActivityMetrics {
  runEnded(end: { status: FinalStatus; durationSeconds: number }): void;
  /** The discussion's rules answered where a model was asked. */
  rulesAnswered(purpose: string, reason: string): void;
  /** Rows were removed because they had outlived their age. */
  outlived(kind: RetentionKind, rows: number): void;
}

/** Source: contract, http §2. */
const RUN_SECONDS = [1, 5, 10, 30, 60, 120, 300];
const QUEUE_SECONDS = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 5, 30];
const MS_PER_SECOND = 1_000;

export function createWorkerMetrics(registry: Registry): WorkerMetrics {
  const registers = [registry];
  const runs = new Counter({
    name: 'pipeline_executions_total',
    help: 'Pipeline runs that have ended, by final status',
    labelNames: ['status'],
    registers,
  });
  const runSeconds = new Histogram({
    name: 'pipeline_duration_seconds',
    help: 'Wall clock duration of pipeline runs',
    buckets: RUN_SECONDS,
    registers,
  });
  const rules = new Counter({
    name: 'discussion_rule_fallbacks_total',
    help: 'Discussion answers given by rules instead of a model',
    labelNames: ['purpose', 'reason'],
    registers,
  });
  const removed = new Counter({
    name: 'retention_removed_total',
    help: 'Rows removed because they had outlived their age, by kind',
    labelNames: ['kind'],
    registers,
  });
  return {
    ...createActivityMetrics(registry),
    runEnded({ status, durationSeconds }) {
      runs.inc({ status });
      runSeconds.observe(durationSeconds);
    },
    rulesAnswered(purpose, reason) {
      rules.inc({ purpose, reason });
    },
    outlived(kind, rows) {
      removed.inc({ kind }, rows);
    },
  };
}

function createActivityMetrics(registry: Registry): ActivityMetrics {
  const registers = [registry];
  const queueSeconds = new Histogram({
    name: 'activity_queue_seconds',
    help: 'Time from when an attempt of an activity is due to its start',
    labelNames: ['activity'],
    buckets: QUEUE_SECONDS,
    registers,
  });
  const failures = new Counter({
    name: 'activity_failures_total',
    help: 'Activity attempts that failed',
    labelNames: ['activity'],
    registers,
  });
  const mistakes = new Counter({
    name: 'internal_errors_total',
    help: 'Errors of ours that ended an activity, a turn or a run',
    labelNames: ['where'],
    registers,
  });
  const running = new Gauge({
    name: 'activities_running',
    help: 'Activity attempts under way in this worker',
    labelNames: ['activity'],
    registers,
  });
  const rejections = new Counter({
    name: 'temporal_inputs_rejected_total',
    help: 'What came over Temporal and was not obeyed, by kind and reason',
    labelNames: ['kind', 'reason'],
    registers,
  });
  return {
    rejected({ kind, reason }) {
      rejections.inc({ kind, reason });
    },
    queueLatency(activity, waitedMs) {
      queueSeconds.observe({ activity }, Math.max(0, waitedMs) / MS_PER_SECOND);
    },
    failed(activity) {
      failures.inc({ activity });
    },
    mistake(where) {
      mistakes.inc({ where });
    },
    begun(activity) {
      running.inc({ activity });
      return () => {
        running.dec({ activity });
      };
    },
  };
}
