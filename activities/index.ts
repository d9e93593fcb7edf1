/** Every side effect a workflow may ask for. */
import {
  createQuestionActivities,
  type QuestionActivities,
  type QuestionDeps,
} from './discussion/answers.js';
import {
  createDiscussionArchiveActivities,
  type DiscussionArchiveActivities,
  type DiscussionArchiveDeps,
} from './maintenance/discussion-archives.js';
import {
  createDiscussionActivities,
  type DiscussionActivities,
  type DiscussionDeps,
} from './discussion/records.js';
import { createTurnActivities, type TurnActivities } from './discussion/turn.js';
import {
  createLlmKeyActivities,
  type LlmKeyActivities,
  type LlmKeyDeps,
} from './maintenance/llm-keys.js';
import { createNodeActivities, type NodeActivities, type NodeDeps } from './node/run-node.js';
import {
  createPipelineActivities,
  type PipelineActivities,
  type PipelineDeps,
} from './run/runs.js';
import {
  createRetentionActivities,
  type RetentionActivities,
  type RetentionDeps,
} from './maintenance/retention.js';
import {
  createRunArchiveActivities,
  type RunArchiveActivities,
  type RunArchiveDeps,
} from './maintenance/run-archives.js';
import { createRunWaitActivities, type RunWaitActivities, type RunWaitDeps } from './run/waits.js';
import {
  createUserDeletionActivities,
  type UserDeletionActivities,
  type UserDeletionDeps,
} from './maintenance/user-deletion.js';

export type Activities = TurnActivities &
  QuestionActivities &
  DiscussionActivities &
  DiscussionArchiveActivities &
  LlmKeyActivities &
  NodeActivities &
  PipelineActivities &
  RetentionActivities &
  RunArchiveActivities &
  RunWaitActivities &
  UserDeletionActivities;

export type ActivityDeps = QuestionDeps &
  DiscussionDeps &
  DiscussionArchiveDeps &
  LlmKeyDeps &
  NodeDeps &
  PipelineDeps &
  RetentionDeps &
  RunArchiveDeps &
  RunWaitDeps &
  Omit<UserDeletionDeps, 'closeRun'>;

export function createActivities(deps: ActivityDeps): Activities {
  const pipelines = createPipelineActivities(deps);
  return {
    ...createQuestionActivities(deps),
    ...createDiscussionActivities(deps),
    ...createTurnActivities(deps),
    ...createDiscussionArchiveActivities(deps),
    ...createLlmKeyActivities(deps),
    ...createNodeActivities(deps),
    ...pipelines,
    ...createRetentionActivities(deps),
    ...createRunArchiveActivities(deps),
    ...createRunWaitActivities(deps),
    ...createUserDeletionActivities({ ...deps, closeRun: pipelines.closeRun }),
  };
}
