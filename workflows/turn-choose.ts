/** The turn that chooses a design and starts its run, or says why it may not start. */
import { uuid4 } from '@temporalio/workflow';
import type { Design } from '../domain/designs.js';
import type { DiscussionMove } from '../domain/discussion.js';
import { discussionTexts } from '../domain/discussion-texts.js';
import type { PlanGeneratedEvent } from '../domain/events.js';
import { unparsableIntent } from '../domain/intents.js';
import { agree } from '../domain/memory.js';
import { refusalText } from '../domain/refusals.js';
import { advance, type Talk, type TurnPlan } from '../domain/talk.js';
import { records } from './activity-proxies.js';
import { startRun } from './runs.js';
import { recordOf, sayError, storedOr, type Turn, type TurnEnd } from './turn-answer.js';

type Choice = Extract<TurnPlan, { kind: 'choose' | 'run-again' }>;

export async function choose(turn: Turn, talk: Talk, { kind, design }: Choice): Promise<TurnEnd> {
  const agreed = kind === 'choose' ? withAgreement(talk, turn, design) : talk;
  const moved = advance(agreed, movesTo(agreed), turn.now);
  if (moved.kind === 'invalid-transition') {
    const { invalidTransition } = discussionTexts(talk.language).errors;
    return sayError(talk, invalidTransition, moved.validEvents);
  }
  return startPlan(turn, { ...moved.talk, selected: design }, design);
}

/** A question back: nothing is run, and nothing of the discussion changes. */
export function askWhich(talk: Talk, asked: number | null): TurnEnd {
  const { content, question, openQuestion } = discussionTexts(talk.language).whichDesign;
  const name = asked === null ? undefined : talk.designs[asked]?.name;
  const { task, confidence } = talk.intent ?? unparsableIntent(talk.language);
  return {
    talk: { ...talk, asked },
    events: [
      {
        type: 'clarification',
        content,
        questions: [
          asked === null || name === undefined ? openQuestion : question(asked + 1, name),
        ],
        partial_intent: { task, confidence },
        state: talk.machine.state === 'refine' ? 'refine' : 'debate',
      },
    ],
  };
}

/** All checks come before `plan_generated`; a refusal keeps the design for another try. */
async function startPlan(turn: Turn, planned: Talk, design: Design): Promise<TurnEnd> {
  const pipelineId = uuid4();
  const talk: Talk = { ...planned, run: { kind: 'admitted', pipelineId, ended: false } };
  const admission = await records.admitPlan({
    ...recordOf(turn),
    pipelineId,
    design,
    language: talk.language,
    event: planEvent(talk, design, pipelineId),
    talk,
  });
  if (admission.kind === 'refused') {
    return sayError(
      { ...planned, run: { kind: 'refused', refusal: admission } },
      refusalText(admission, talk.language),
    );
  }
  if (admission.kind === 'overtaken') {
    return { talk: storedOr(admission.talk, planned), events: null };
  }
  await startRun(turn, { pipelineId, designName: design.name });
  return { talk, events: null };
}

function planEvent(talk: Talk, design: Design, pipelineId: string): PlanGeneratedEvent {
  return {
    type: 'plan_generated',
    content: discussionTexts(talk.language).planReady,
    pipeline_id: pipelineId,
    selected_design: design,
    state: 'plan',
    discussion_summary: {
      total_rounds: talk.machine.round,
      agreements: talk.memory.agreements,
      preferences: talk.memory.user_preferences,
    },
  };
}

function withAgreement(talk: Talk, { message }: Turn, design: Design): Talk {
  const memory = agree(agree(talk.memory, message.content), design.name);
  return { ...talk, memory };
}

/** An approval in `refine` accepts the designs as they are, so they count as ready. */
function movesTo({ machine }: Talk): readonly DiscussionMove[] {
  switch (machine.state) {
    case 'plan':
      return [];
    case 'refine':
      return ['refined_designs_ready', 'user_satisfied', 'user_confirmed'];
    default:
      return ['user_satisfied', 'user_confirmed'];
  }
}
