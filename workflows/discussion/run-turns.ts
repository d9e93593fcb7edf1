/** The turns that start or stop a run. */
import { uuid4 } from '@temporalio/workflow';
import { decide, type Turn } from '../../domain/discussion/decide.js';
import {
  decideRefusal,
  planRun,
  type ChoicePlan,
  type RunPlan,
} from '../../domain/discussion/run-plan.js';
import { records } from '../activity-proxies.js';
import type { DiscussionInput } from './discussion.messages.js';
import { cancelRun, startRun } from './runs.js';
import { storedOr, type TurnEnd } from './turn-end.js';

export async function carryOut(input: DiscussionInput, turn: Turn<RunPlan>): Promise<TurnEnd> {
  const { plan, state } = turn;
  if (plan.kind === 'choose' || plan.kind === 'run-again') {
    return choose(input, { ...turn, plan });
  }
  // the record knows of runs that the state does not name; a plan of before 0.7.0 has none of it
  const known = state.run?.kind === 'admitted' && !state.run.ended ? [state.run.pipelineId] : [];
  for (const pipelineId of plan.pipelineIds ?? known) {
    await cancelRun(pipelineId);
  }
  return decide({ ...turn, plan }, {});
}

/** All checks come before `plan_generated`; a refusal keeps the design for another try. */
async function choose(input: DiscussionInput, turn: Turn<ChoicePlan>): Promise<TurnEnd> {
  const planned = planRun(turn, uuid4);
  if (planned.kind === 'not-now') {
    return planned;
  }
  const { state, event } = planned;
  const { pipeline_id: pipelineId, selected_design: design } = event;
  const { conversationId, userId } = input;
  const admission = await records.admitPlan({
    ...{ conversationId, userId, messageId: turn.message.messageId },
    ...{ pipelineId, design, language: state.language, event, state },
  });
  if (admission.kind === 'refused') {
    return decideRefusal(state, admission);
  }
  if (admission.kind === 'overtaken') {
    return { state: storedOr(admission.talk, state), events: null };
  }
  await startRun(input, { pipelineId, designName: design.name });
  return { state, events: null };
}
