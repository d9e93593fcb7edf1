/** What our workflows are started, signalled and updated with: nothing else is obeyed. */
import { workflowInfo } from '@temporalio/workflow';
import {
  archiveWorkflowId,
  closeRunWorkflowId,
  discussionWorkflowId,
  pipelineWorkflowId,
  userDeletionWorkflowId,
} from '../domain/ids.js';

/** Whether the arguments look as our own calls do. */
type Check = (args: readonly unknown[]) => boolean;

interface Expected {
  readonly start: Check;
  readonly signals: Readonly<Record<string, Check>>;
  readonly updates?: Readonly<Record<string, Check>>;
}

/** Where the arguments say nothing; our own calls carry one to be sealed (temporal/seal-empty-calls.ts). */
const isAnything: Check = () => true;
const isFailedAttempt: Check = ([failed]) =>
  areTexts(failed, ['activity', 'code', 'advice']) &&
  areNumbers(failed, ['attempt', 'failedAtMs', 'nextAtMs']) &&
  Array.isArray(fieldOf(failed, 'asked'));
const isNotice: Check = ([notice]) => areTexts(notice, ['pipelineId']);
const isRequest: Check = ([request]) => areTexts(request, ['requestId']);
const isResponse: Check = ([response]) => areTexts(response, ['node', 'offerId']);

const EXPECTED: Readonly<Record<string, Expected>> = {
  discussionWorkflow: {
    start: ([input]) =>
      areTexts(input, ['conversationId', 'userId', 'role']) &&
      areNumbers(input, ['idleMs', 'maxHistoryEvents']) &&
      isHere(discussionWorkflowId(textOf(input, 'conversationId'))),
    signals: {
      userMessage: ([message]) => areTexts(message, ['messageId', 'content', 'receivedAt']),
      runAdmitted: isNotice,
      pipelineEnded: isNotice,
      attemptFailed: isFailedAttempt,
    },
  },
  pipelineWorkflow: {
    start: ([input]) =>
      areTexts(input, ['pipelineId', 'userId']) &&
      isHere(pipelineWorkflowId(textOf(input, 'pipelineId'))),
    signals: {
      pauseRun: isAnything,
      resumeRun: isAnything,
      budgetChanged: isAnything,
      slotGranted: isAnything,
      attemptFailed: isFailedAttempt,
      approvalOffered: isResponse,
    },
    updates: { pauseRun: isRequest, resumeRun: isRequest, decide: isResponse },
  },
  closeRunWorkflow: {
    start: ([input]) =>
      areTexts(input, ['pipelineId', 'how']) &&
      isHere(closeRunWorkflowId(textOf(input, 'pipelineId'))),
    signals: {},
  },
  deleteUserWorkflow: {
    start: ([input]) =>
      areTexts(input, ['userId']) &&
      hasOnly(input, ['userId', 'runsMs', 'lookMs']) && // no other workflow's input
      isHere(userDeletionWorkflowId(textOf(input, 'userId'))),
    signals: {},
  },
  archiveWorkflow: {
    start: ([input]) =>
      (areTexts(input, ['pipelineId']) && isHere(archiveWorkflowId(textOf(input, 'pipelineId')))) ||
      (areTexts(input, ['conversationId', 'userId', 'runId']) &&
        isHere(archiveWorkflowId(textOf(input, 'runId')))),
    signals: {},
  },
  validateKeyWorkflow: {
    start: ([input]) =>
      areTexts(input, ['userId', 'keyId']) &&
      workflowInfo().workflowId.startsWith(`validate-key-${textOf(input, 'keyId')}-`),
    signals: {},
  },
  archivesWorkflow: { start: isAnything, signals: { runsEnded: isAnything } },
  retentionWorkflow: { start: isAnything, signals: {} },
};

/** They ask the record what there is to do; a schedule starts one of them with nothing to seal. */
const WITHOUT_INPUT = ['archivesWorkflow', 'retentionWorkflow'];

export function needsInput(workflowType: string): boolean {
  return !WITHOUT_INPUT.includes(workflowType);
}

export function isExpectedStart(args: readonly unknown[]): boolean {
  return expectedHere()?.start(args) ?? false;
}

export function knowsSignal(name: string): boolean {
  return Object.hasOwn(expectedHere()?.signals ?? {}, name);
}

/** Discussions live for long: a signal of an unknown name has to wake them, so that they can begin anew. */
export function takesAnySignal(): boolean {
  return workflowInfo().workflowType === 'discussionWorkflow';
}

export function isExpectedSignal(name: string, args: readonly unknown[]): boolean {
  return knowsSignal(name) && (expectedHere()?.signals[name]?.(args) ?? false);
}

export function isExpectedUpdate(name: string, args: readonly unknown[]): boolean {
  const updates = expectedHere()?.updates ?? {};
  return Object.hasOwn(updates, name) && (updates[name]?.(args) ?? false);
}

function expectedHere(): Expected | undefined {
  const { workflowType } = workflowInfo();
  return Object.hasOwn(EXPECTED, workflowType) ? EXPECTED[workflowType] : undefined;
}

function isHere(workflowId: string): boolean {
  return workflowInfo().workflowId === workflowId;
}

function areTexts(value: unknown, names: readonly string[]): boolean {
  return names.every((name) => typeof fieldOf(value, name) === 'string');
}

function areNumbers(value: unknown, names: readonly string[]): boolean {
  return names.every((name) => Number.isFinite(fieldOf(value, name)));
}

function hasOnly(value: unknown, names: readonly string[]): boolean {
  return (
    typeof value === 'object' &&
    value !== null &&
    Object.keys(value).every((name) => names.includes(name))
  );
}

function textOf(value: unknown, name: string): string {
  const text = fieldOf(value, name);
  return typeof text === 'string' ? text : '';
}

function fieldOf(value: unknown, name: string): unknown {
  return typeof value === 'object' && value !== null ? Reflect.get(value, name) : undefined;
}
