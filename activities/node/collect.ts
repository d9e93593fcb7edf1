/** Reads a node's sources through the data-collector service. Source: contract, pipeline §3.2. */
import { Context } from '@temporalio/activity';
import { noteCollectorCall } from '../../db/runs/agent-steps.js';
import type { Db } from '../../db/connect.js';
import type { NodeEnd } from '../../db/runs/node-ends.js';
import { pageText, problemText, type CollectorProblem } from '../../domain/collector/texts.js';
import { unreadSource } from '../../domain/collector/unread-sources.js';
import { noteAsked } from '../../llm/attempt-scope.js';
import type { Collector } from './collector-client.js';
import type { NodeContext } from './context.js';
import { failedWith, NO_EFFORT, succeeded } from './result.js';

/**
 * @returns null where no collector answers at its address
 * @throws `cancelled`
 */
export async function collect(
  { db, collector }: { readonly db: Db; readonly collector: Collector },
  context: NodeContext,
  urls: readonly string[],
): Promise<NodeEnd | null> {
  const { call, agent, language } = context;
  const { cancellationSignal: signal } = Context.current();
  if (!(await collector.isReachable(signal))) {
    return null;
  }
  await noteCollectorCall(db, call.pipelineId);
  noteAsked('data-collector', null);
  const pages: string[] = [];
  const problems: { readonly url: string; readonly problem: CollectorProblem }[] = [];
  for (const url of urls) {
    const outcome = await collector.collect({ url, attempts: agent.retry_count }, signal);
    if (outcome.kind === 'collected') {
      pages.push(pageText(outcome.page, language));
    } else if (outcome.kind === 'unreachable' && pages.length + problems.length === 0) {
      return null;
    } else {
      problems.push({ url, problem: outcome.kind === 'problem' ? outcome.problem : outcome });
    }
  }
  const texts = problems.map(({ url, problem }) => problemText(url, problem, language));
  const unread = problems.map(({ url, problem }) => unreadSource(url, problem));
  const effort = {
    ...NO_EFFORT,
    ...{ provider: 'data-collector', attempts: 1 },
    unreadSources: unread.length === 0 ? null : unread,
  };
  if (pages.length > 0) {
    return succeeded(context, [...pages, ...texts].join('\n\n'), effort);
  }
  const isBlocked = problems.every(({ problem }) => problem.kind === 'blocked');
  const errorCode = isBlocked ? 'collector-blocked' : 'collector-failed';
  const error = `${agent.name}: ${texts.join('; ')}`;
  return failedWith(context, { errorCode, error }, effort);
}
