/**
 * What reaches a workflow and is not obeyed. Who reaches Temporal can start, signal, query and
 * answer; only our own processes can seal. Nothing rejected stops a workflow: a start fails, a signal
 * is dropped, a query, an update or an activity's result becomes a failure.
 */
import { ApplicationFailure, defaultPayloadConverter, type Payload } from '@temporalio/common';
import { previewOf } from '../domain/text/previews.js';
import {
  log,
  patched,
  proxySinks,
  workflowInfo,
  type ActivateInput,
  type WorkflowInboundCallsInterceptor,
} from '@temporalio/workflow';
import {
  rejectionOf,
  valueOf,
  type Rejection,
  type RejectionReason,
  type RejectionSinks,
} from '../domain/security/rejections.js';
import {
  isExpectedSignal,
  isExpectedStart,
  isExpectedUpdate,
  knowsSignal,
  needsInput,
  takesAnySignal,
} from './expected.js';

/** Older releases obeyed: what they decided stays decided when it is replayed. */
const REJECTING = '2026-12-01-sealed-payloads-only';
/** Names come from anybody. */
const MAX_NAME = 80;
/** The SDK handles those itself, or throws. */
const OF_THE_SDK = '__';

const { rejections } = proxySinks<RejectionSinks>();
type Job = NonNullable<ActivateInput['activation']['jobs']>[number];

export function rejectingInterceptor(): WorkflowInboundCallsInterceptor {
  return {
    execute(input, next) {
      const { workflowType } = workflowInfo();
      const isWithout = input.args.length === 0 && !needsInput(workflowType);
      const reason = isWithout ? null : reasonAgainst(input.args, isExpectedStart);
      if (reason === null) {
        return next(input);
      }
      if (!patched(REJECTING)) {
        return next({ ...input, args: input.args.map(valueOf) });
      }
      return Promise.reject(reject({ kind: 'start', reason }, workflowType));
    },
    handleSignal(input, next) {
      const { signalName, args } = input;
      const reason = reasonAgainst(args, (those) => isExpectedSignal(signalName, those));
      if (reason === null) {
        return next(input);
      }
      if (!patched(REJECTING)) {
        return next({ ...input, args: args.map(valueOf) });
      }
      reject({ kind: 'signal', reason }, signalName);
      return Promise.resolve();
    },
    handleQuery(input, next) {
      const reason = firstRejection(input.args);
      return reason === null
        ? next(input)
        : Promise.reject(reject({ kind: 'query', reason }, input.queryName));
    },
    validateUpdate(input, next) {
      const reason = reasonAgainst(input.args, (args) => isExpectedUpdate(input.name, args));
      if (reason !== null) {
        throw reject({ kind: 'update', reason }, input.name); // nothing of it enters the history
      }
      next(input);
    },
    handleUpdate(input, next) {
      const reason = reasonAgainst(input.args, (args) => isExpectedUpdate(input.name, args));
      return reason === null
        ? next(input)
        : Promise.reject(reject({ kind: 'update', reason }, input.name));
    },
  };
}

/**
 * Before a workflow sees what has happened: signals that it has no handler for would be kept for as
 * long as it lives, and a result that is not ours must not look like one.
 */
export function screenActivation({ activation, batchIndex }: ActivateInput): ActivateInput {
  for (const job of activation.jobs ?? []) {
    failRejectedResult(job);
  }
  activation.jobs = (activation.jobs ?? []).filter(isHandled);
  return { activation, batchIndex };
}

function isHandled({ signalWorkflow }: Job): boolean {
  const name = signalWorkflow?.signalName;
  if (name == null || knowsSignal(name) || (takesAnySignal() && !name.startsWith(OF_THE_SDK))) {
    return true;
  }
  reject({ kind: 'signal', reason: 'unexpected' }, name);
  return false;
}

function failRejectedResult({ resolveActivity }: Job): void {
  const result = resolveActivity?.result;
  const payload = result?.completed?.result;
  const reason = payload == null ? null : reasonIn(payload);
  if (result == null || reason === null) {
    return;
  }
  const { message } = reject({ kind: 'result', reason }, 'activity');
  result.completed = null;
  result.failed = {
    failure: { message, applicationFailureInfo: { type: REJECTED, nonRetryable: true } },
  };
}

/** What the codec has put in a payload's place is JSON. */
function reasonIn(payload: Payload): RejectionReason | null {
  const value: unknown = defaultPayloadConverter.fromPayload<unknown>(payload);
  return rejectionOf(value);
}

function reasonAgainst(
  args: readonly unknown[],
  isExpected: (args: readonly unknown[]) => boolean,
): RejectionReason | null {
  if (args.length === 0) {
    return 'missing';
  }
  return firstRejection(args) ?? (isExpected(args) ? null : 'unexpected');
}

function firstRejection(args: readonly unknown[]): RejectionReason | null {
  return args.map(rejectionOf).find((reason) => reason !== null) ?? null;
}

const REJECTED = 'rejected';

function reject(rejection: Rejection, name: string): ApplicationFailure {
  const { kind, reason } = rejection;
  const { continueAsNewSuggested: isHistoryLong, historyLength } = workflowInfo();
  const told = { kind, reason, name: previewOf(name, MAX_NAME) };
  if (isHistoryLong) {
    // Temporal ends a workflow whose history is full; runs cannot begin a new one
    log.error('rejected, and the history fills up', { ...told, historyLength });
  } else {
    log.warn('rejected', told);
  }
  if (!workflowInfo().unsafe.isReplaying) {
    rejections.rejected(rejection);
  }
  return ApplicationFailure.nonRetryable(`rejected (${kind}: ${reason})`, REJECTED);
}
