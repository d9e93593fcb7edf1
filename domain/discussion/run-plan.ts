/** The turn that chooses a design: what is planned before its run is admitted, and what follows. */
import type { Design } from '../design/designs.js';
import type { DiscussionMove } from './machine.js';
import { discussionTexts } from './texts.js';
import type { PlanGeneratedEvent } from '../events.js';
import type { PipelineId } from '../ids.js';
import { agree } from './memory.js';
import { refusalText, type Refusal } from '../run/refusals.js';
import { advance, type DiscussionState, type TurnPlan } from './state.js';
import { decideError, decideInvalidMove, type Decision, type Turn } from './decide.js';

export type ChoicePlan = Extract<TurnPlan, { readonly kind: 'choose' | 'run-again' }>;

/** Plans that start or stop a run: the workflow carries them out. */
export type RunPlan = ChoicePlan | Extract<TurnPlan, { readonly kind: 'cancel' | 'restart' }>;

export function concernsRuns(plan: TurnPlan): plan is RunPlan {
  return ['choose', 'run-again', 'cancel', 'restart'].includes(plan.kind);
}

export type PlannedRun =
  | {
      readonly kind: 'planned';
      readonly state: DiscussionState;
      readonly event: PlanGeneratedEvent;
    }
  | ({ readonly kind: 'not-now' } & Decision);

/**
 * The state and the event of an admitted run; nothing is stored yet.
 *
 * @param newId called only where a run is planned
 */
export function planRun(turn: Turn<ChoicePlan>, newId: () => PipelineId): PlannedRun {
  const { plan, state: before, message, now } = turn;
  const { design } = plan;
  const agreed = plan.kind === 'choose' ? withAgreement(before, message.content, design) : before;
  const moved = advance(agreed, movesTo(agreed), now);
  if (moved.kind === 'invalid-transition') {
    return { kind: 'not-now', ...decideInvalidMove(before, moved.validEvents) };
  }
  const pipelineId = newId();
  const run = { kind: 'admitted', pipelineId, ended: false } as const;
  const state: DiscussionState = { ...moved.talk, selected: design, run };
  return { kind: 'planned', state, event: planEvent(state, design, pipelineId) };
}

/** The design is kept for another try. */
export function decideRefusal(planned: DiscussionState, refusal: Refusal): Decision {
  const state: DiscussionState = { ...planned, run: { kind: 'refused', refusal } };
  return decideError(state, refusalText(refusal, state.language));
}

function planEvent(
  state: DiscussionState,
  design: Design,
  pipelineId: PipelineId,
): PlanGeneratedEvent {
  return {
    type: 'plan_generated',
    content: discussionTexts(state.language).planReady,
    pipeline_id: pipelineId,
    selected_design: design,
    state: 'plan',
    discussion_summary: {
      total_rounds: state.machine.round,
      agreements: state.memory.agreements,
      preferences: state.memory.user_preferences,
    },
  };
}

function withAgreement(state: DiscussionState, text: string, design: Design): DiscussionState {
  return { ...state, memory: agree(agree(state.memory, text), design.name) };
}

/** An approval in `refine` accepts the designs as they are, so they count as ready. */
function movesTo({ machine }: DiscussionState): readonly DiscussionMove[] {
  switch (machine.state) {
    case 'plan':
      return [];
    case 'refine':
      return ['refined_designs_ready', 'user_satisfied', 'user_confirmed'];
    default:
      return ['user_satisfied', 'user_confirmed'];
  }
}
