/**
 * The attempt of a discussion's call that has failed and is made again. Only operators see it: no command
 * comes or goes with it. The sandbox gives each run a copy of this module: its state is that of one run.
 */
import type { FailedAttempt } from '../../domain/run/failed-attempts.js';

const open = new Set<string>();
let failed: FailedAttempt | null = null;
let notify: () => void = () => undefined;

/** @returns null where the call under way has not failed */
export function failingCall(): FailedAttempt | null {
  return failed;
}

/** A report may come late: of an attempt before the last one, or of a call that has ended. */
export function takeFailedAttempt(report: FailedAttempt): void {
  if (open.has(report.activity) && (failed === null || report.attempt > failed.attempt)) {
    failed = report;
    notify();
  }
}

export function onFailingCall(changed: () => void): void {
  notify = changed;
}

/** The activity was scheduled. */
export function followCall(activity: string, done: Promise<unknown>): void {
  open.add(activity);
  const end = (): void => {
    open.delete(activity);
    if (failed !== null) {
      failed = null;
      notify();
    }
  };
  void done.then(end, end); // beside its awaiter, so that no turn of the event loop is added
}
