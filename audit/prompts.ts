/** Whether what a bundle says of its prompts is what was sent: each is put together again and hashed. */
import { promptSha256 } from '../db/billing/call-prompts.js';
import { promptOf, type QuotedText, type SentPrompt } from '../domain/agents/prompt-records.js';
import { isOf, type ContentEntry, type DataOf } from './contents.js';

export interface CheckedPrompt {
  readonly call: DataOf<'call'>;
  /** `other`: a text that it repeats is gone, or is not what was sent. */
  readonly kind: 'as-sent' | 'other';
  /** null where a text that it repeats is not in the bundle */
  readonly sent: SentPrompt | null;
}

/** Of each call whose prompt was kept, in the order of the calls. */
export function checkPrompts(contents: readonly ContentEntry[]): readonly CheckedPrompt[] {
  const texts = textsIn(contents);
  const find = (of: QuotedText['of'], stepId: string) => texts[of].get(stepId) ?? null;
  return contents.filter(isOf('call')).flatMap(({ data: call }): readonly CheckedPrompt[] => {
    if (call.prompt == null) {
      return [];
    }
    const { sha256, ...record } = call.prompt;
    const sent = promptOf(record, find);
    const isAsSent = sent !== null && promptSha256(sent) === sha256;
    return [{ call, kind: isAsSent ? 'as-sent' : 'other', sent }];
  });
}

/** As `call 1234 of step …`. */
export function promptName({ call: { id, step_id } }: CheckedPrompt): string {
  return `call ${id} of step ${step_id}`;
}

function textsIn(contents: readonly ContentEntry[]) {
  const nodes = contents.filter(isOf('node')).map(({ data }) => data);
  const calls = contents.filter(isOf('call')).map(({ data }) => data);
  return {
    output: new Map(nodes.map(({ step_id, output }) => [step_id, output])),
    reply: new Map([
      ...nodes.flatMap(({ replies }) =>
        replies.map(({ step_id, content }): [string, string] => [step_id, content]),
      ),
      ...calls.flatMap(({ step_id, reply }): [string, string][] =>
        reply === undefined ? [] : [[step_id, reply.content]],
      ),
    ]),
  };
}
