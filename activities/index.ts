/** Every side effect a workflow may ask for. */
import { createAgentActivities, type AgentActivities, type AgentDeps } from './node/run-node.js';
import {
  createDesignActivities,
  type DesignActivities,
  type DesignDeps,
} from './discussion/answers.js';
import {
  createDiscussionArchiveActivities,
  type DiscussionArchiveActivities,
  type DiscussionArchiveDeps,
} from './discussion/archives.js';
import {
  createDiscussionActivities,
  type DiscussionActivities,
  type DiscussionDeps,
} from './discussion/records.js';
import { createLlmKeyActivities, type LlmKeyActivities, type LlmKeyDeps } from './llm-keys.js';
import {
  createPipelineActivities,
  type PipelineActivities,
  type PipelineDeps,
} from './pipelines.js';
import {
  createRetentionActivities,
  type RetentionActivities,
  type RetentionDeps,
} from './retention.js';
import {
  createRunArchiveActivities,
  type RunArchiveActivities,
  type RunArchiveDeps,
} from './run-archives.js';
import { createRunWaitActivities, type RunWaitActivities, type RunWaitDeps } from './run-waits.js';
import {
  createUserDeletionActivities,
  type UserDeletionActivities,
  type UserDeletionDeps,
} from './user-deletion.js';

export type Activities = AgentActivities &
  DesignActivities &
  DiscussionActivities &
  DiscussionArchiveActivities &
  LlmKeyActivities &
  PipelineActivities &
  RetentionActivities &
  RunArchiveActivities &
  RunWaitActivities &
  UserDeletionActivities;

export type ActivityDeps = AgentDeps &
  DesignDeps &
  DiscussionDeps &
  DiscussionArchiveDeps &
  LlmKeyDeps &
  PipelineDeps &
  RetentionDeps &
  RunArchiveDeps &
  RunWaitDeps &
  Omit<UserDeletionDeps, 'closeRun'>;

export function createActivities(deps: ActivityDeps): Activities {
  const pipelines = createPipelineActivities(deps);
  return {
    ...createAgentActivities(deps),
    ...createDesignActivities(deps),
    ...createDiscussionActivities(deps),
    ...createDiscussionArchiveActivities(deps),
    ...createLlmKeyActivities(deps),
    ...pipelines,
    ...createRetentionActivities(deps),
    ...createRunArchiveActivities(deps),
    ...createRunWaitActivities(deps),
    ...createUserDeletionActivities({ ...deps, closeRun: pipelines.closeRun }),
  };
}
