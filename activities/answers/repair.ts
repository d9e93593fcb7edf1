import type { StepId } from '../../domain/ids.js';
import type { Language } from '../../domain/text/languages.js';
import { repairPrompt } from '../../domain/agents/repair-prompts.js';
import type { ModelRequest } from '../../llm/model.js';

export interface BadReply {
  /** The step that it answered. */
  readonly stepId: StepId;
  readonly text: string;
  readonly problems: readonly string[];
}

/** Asks the same model for the same document again, with what was wrong; once is enough. */
export function repairRequest(
  request: ModelRequest,
  bad: BadReply,
  language: Language,
): ModelRequest {
  const messages = repairPrompt({ ...bad, schema: request.answer?.schema ?? {} }, language);
  const quoted = [{ of: 'reply' as const, stepId: bad.stepId, text: bad.text }];
  return { ...request, messages, messagesWithin: undefined, quoted, temperature: 0 };
}
