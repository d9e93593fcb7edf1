/** One agent's work, up to an outcome that can be stored; nothing is stored here. */
import { Context, log } from '@temporalio/activity';
import { designInjection } from '../../domain/agent-prompts.js';
import { COLLECTOR_AWAY, pageText, problemText } from '../../domain/collector-texts.js';
import { sourceUrlsOf } from '../../domain/collector-sources.js';
import { numericFieldsOf } from '../../domain/conditions.js';
import { DomainError } from '../../domain/errors.js';
import { unreadSource, type UnreadSource } from '../../domain/unread-sources.js';
import { nodeKindOf } from '../../domain/pipeline.js';
import { noteCollectorCall } from '../../db/agent-steps.js';
import { findApproval } from '../../db/approvals.js';
import { languageOfRun } from '../../db/pipelines.js';
import type { StepTask } from '../../db/node-contexts.js';
import type { OpenLiveWriter } from '../../events/live-writer.js';
import { noteAsked } from '../../llm/attempt-scope.js';
import type { CompleteOptions } from '../../llm/metered.js';
import { askModel, type AskDeps } from './ask.js';
import {
  failedAgent,
  NOTHING_MADE,
  type AgentCall,
  type AgentOutcome,
  type AgentTask,
  type PromptedTask,
} from './context.js';
import type { Collector } from './collector-client.js';
import { announceAgent } from './live-agent.js';

export interface AgentWorkDeps extends AskDeps {
  readonly collector: Collector;
  readonly openLive: OpenLiveWriter;
}

/**
 * @param stored what its run's records say; null if there are none
 * @throws what is to be retried, cancellation, and `internal` or `not-found` for a broken run
 */
export async function workOn(
  deps: AgentWorkDeps,
  call: AgentCall,
  stored: StepTask | null,
): Promise<AgentOutcome> {
  const task = taskOf(call, stored);
  const patterns = designInjection(task.design);
  if (patterns.length > 0) {
    const { pipelineId } = call;
    log.warn('possible prompt injection in a design', { pipelineId, patterns });
    return failedAgent(task, { code: 'prompt-injection' });
  }
  const { kind } = task;
  if (kind === 'approval') {
    return approvedBy(deps, task);
  }
  const live = announceAgent(deps.openLive, call, task.agent);
  try {
    return await makeOutcome({ ...deps, beginReply: () => live.beginReply() }, { ...task, kind });
  } finally {
    await live.end();
  }
}

type MakingDeps = AgentWorkDeps & Pick<CompleteOptions, 'beginReply'>;

async function makeOutcome(deps: MakingDeps, task: PromptedTask): Promise<AgentOutcome> {
  const urls = task.kind === 'collector' ? sourceUrlsOf(task.design, task.call.position) : [];
  if (urls.length === 0) {
    return askModel(deps, task, []);
  }
  const collected = await collectPages(deps, task, urls);
  if (collected !== null) {
    return collected;
  }
  const planned = await askModel(deps, task, [COLLECTOR_AWAY[task.language]]);
  return { ...planned, unread: urls.map((url) => unreadSource(url, { kind: 'unreachable' })) };
}

function taskOf(call: AgentCall, stored: StepTask | null): AgentTask {
  if (stored?.run.userId !== call.userId) {
    throw new DomainError('not-found', `pipeline ${call.pipelineId} does not exist`);
  }
  const { run, hasReply, steps } = stored;
  const agent = run.design.agents[call.position];
  if (agent === undefined) {
    throw new DomainError('internal', `pipeline ${call.pipelineId} has no such agent`);
  }
  const { design } = run;
  const language = languageOfRun(run);
  return { call, design, agent, kind: nodeKindOf(agent), language, hasReply, steps };
}

/** A person's decision makes nothing of its own: what was agreed to goes on. */
async function approvedBy({ db }: AgentWorkDeps, task: AgentTask): Promise<AgentOutcome> {
  const { call, agent } = task;
  const approval = await findApproval(db, call);
  const content = approval?.editedInput ?? approval?.input ?? '';
  const made = { ...NOTHING_MADE, content, answered: numericFieldsOf(content) };
  return { ...made, agent, status: 'success', errorCode: null, error: null };
}

/** @returns null when nobody listens at the collector's address */
async function collectPages(
  { db, collector }: AgentWorkDeps,
  task: AgentTask,
  urls: readonly string[],
): Promise<AgentOutcome | null> {
  const { agent, language } = task;
  const signal = Context.current().cancellationSignal;
  const pages: string[] = [];
  const problems: string[] = [];
  const unread: UnreadSource[] = [];
  let isBlocked = true;
  if (!(await collector.isReachable(signal))) {
    return null;
  }
  await noteCollectorCall(db, task.call.pipelineId);
  noteAsked('data-collector', null);
  for (const url of urls) {
    const outcome = await collector.collect({ url, attempts: agent.retry_count }, signal);
    if (outcome.kind === 'collected') {
      pages.push(pageText(outcome.page, language));
    } else if (outcome.kind === 'unreachable' && pages.length + problems.length === 0) {
      return null;
    } else {
      const problem = outcome.kind === 'problem' ? outcome.problem : outcome;
      isBlocked &&= problem.kind === 'blocked';
      problems.push(problemText(url, problem, language));
      unread.push(unreadSource(url, problem));
    }
  }
  const by = { ...NOTHING_MADE, agent, provider: 'data-collector', attempts: 1, unread };
  if (pages.length === 0) {
    const errorCode = isBlocked ? 'collector-blocked' : 'collector-failed';
    return { ...by, status: 'failed', errorCode, error: `${agent.name}: ${problems.join('; ')}` };
  }
  const content = [...pages, ...problems].join('\n\n');
  return { ...by, status: 'success', errorCode: null, error: null, content };
}
