/** The least that Temporal needs for a turn, and for a run of a few steps. */
import { condition, defineSignal, proxyActivities, setHandler } from '@temporalio/workflow';
import type { BareActivities } from './activities.js';
import { MESSAGE_SIGNAL, type BareRun, type BareTurns } from './messages.js';

const activities = proxyActivities<BareActivities>({ startToCloseTimeout: '1m' });
const messageSignal = defineSignal<[string]>(MESSAGE_SIGNAL);

/** Answers messages one after the other until it is terminated. */
export async function bareTurns({ channel, commits }: BareTurns): Promise<void> {
  const inbox: string[] = [];
  setHandler(messageSignal, (messageId) => void inbox.push(messageId));
  for (;;) {
    await condition(() => inbox.length > 0);
    for (const messageId of inbox.splice(0)) {
      await activities.reply({ channel, messageId, commits });
    }
  }
}

export async function bareRun({ commits }: BareRun): Promise<number> {
  let tokens = 0;
  for (const count of commits) {
    tokens += (await activities.step({ commits: count })).tokens;
  }
  return tokens;
}
