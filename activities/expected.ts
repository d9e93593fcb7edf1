/**
 * Which workflow each activity works for. Arguments are sealed for a workflow, and an attacker who reaches
 * Temporal can name a workflow of their own like it: so an activity takes no other call's arguments.
 */
import type { Activities } from './index.js';
import {
  archiveWorkflowId,
  discussionWorkflowId,
  pipelineWorkflowId,
  userDeletionWorkflowId,
} from '../domain/ids.js';

export interface ScheduledActivity {
  readonly activityType: string;
  readonly workflowId: string;
  readonly isLocal: boolean;
  readonly argument: unknown;
}

/** Scheduled by workflows of ours as local activities alone: no server has ever ordered one. */
const LOCAL_ONLY = [
  ...(['loadDiscussion', 'beginTurn', 'endTurn', 'saveTalk'] as const),
  ...(['admitPlan', 'readRun', 'openRun', 'closeRun'] as const),
] satisfies (keyof Activities)[];

/** @returns whether it is the workflow of the call; absent: of any workflow */
type IsItsWorkflow = (workflowId: string, argument: unknown) => boolean;

const ofRun: IsItsWorkflow = (workflowId, argument) =>
  workflowId === pipelineWorkflowId(textOf(argument, 'pipelineId'));

/** Its argument says nothing that another workflow could misuse. */
const ofAny: IsItsWorkflow = () => true;

const ofDiscussion: IsItsWorkflow = (workflowId, argument) =>
  workflowId === discussionWorkflowId(textOf(argument, 'conversationId'));

/** What deletes has nothing but these in its argument: no other call's is like it. */
const DELETION_FIELDS = ['userId', 'how'];

const ofDeletion: IsItsWorkflow = (workflowId, argument) =>
  workflowId === userDeletionWorkflowId(textOf(argument, 'userId')) &&
  fieldsOf(argument).every((name) => DELETION_FIELDS.includes(name));

/** An activity that is forgotten here fails to compile. */
const WORKFLOWS: Readonly<
  Record<Exclude<keyof Activities, (typeof LOCAL_ONLY)[number]>, IsItsWorkflow>
> = {
  runAgent: ofRun,
  askForApproval: ofRun,
  takeDecision: (workflowId, argument) =>
    ofRun(workflowId, argument) && fieldsOf(argument).includes('offerId'), // null: time is up
  parkRun: ofRun,
  unparkRun: ofRun,
  takeTurn: (workflowId, argument) =>
    ofDiscussion(workflowId, argument) && fieldsOf(argument).includes('message'),
  analyzeIntent: ofDiscussion,
  generateDesigns: ofDiscussion,
  critiqueDesigns: ofDiscussion,
  closeAccount: ofDeletion,
  stopRuns: ofDeletion,
  removeWorkflows: ofDeletion,
  removeRecords: ofDeletion,
  archiveRun: (workflowId, argument) =>
    workflowId === archiveWorkflowId(textOf(argument, 'pipelineId')),
  archiveDiscussion: (workflowId, argument) =>
    workflowId === archiveWorkflowId(textOf(argument, 'runId')),
  checkKey: (workflowId, argument) =>
    workflowId.startsWith(`validate-key-${textOf(argument, 'keyId')}-`),
  archiveEnded: ofAny,
  prune: ofAny,
};
const WORKFLOW_OF = new Map<string, IsItsWorkflow>(Object.entries(WORKFLOWS));

export function isExpectedActivity({
  activityType,
  workflowId,
  isLocal,
  argument,
}: ScheduledActivity): boolean {
  if (LOCAL_ONLY.some((name) => name === activityType)) {
    return isLocal;
  }
  return WORKFLOW_OF.get(activityType)?.(workflowId, argument) ?? true; // the SDK refuses unknown ones
}

function fieldsOf(argument: unknown): readonly string[] {
  return typeof argument === 'object' && argument !== null ? Object.keys(argument) : [];
}

function textOf(argument: unknown, name: string): string {
  const text: unknown =
    typeof argument === 'object' && argument !== null ? Reflect.get(argument, name) : '';
  return typeof text === 'string' ? text : '';
}
