/** Runs that stand as the pictures show them. */
import { z } from 'zod';
import type { Behaviour, StandInVendors, VendorCall } from '../../tests/support/vendors/server.js';
import { waitUntil } from '../embedded/wait.js';
import type { Somebody } from './product.js';

export const PICTURES = ['finished', 'failed', 'waiting', 'running', 'failing'] as const;
export type Picture = (typeof PICTURES)[number];

const REFUSED = 401;
const AWAY = 503;
/** Of the run whose agent fails again and again: tries that have failed when its picture is taken. */
const FAILED_TRIES = 3;
/** So that no further try begins while the picture is taken. */
const NEXT_TRY_SECONDS = '120';
const READER = { promptTokens: 1_840, completionTokens: 612 };

/** What an agent's vendor does, told apart by the words of its prompt. */
export function behaviourOf({ prompt }: VendorCall, calls: readonly VendorCall[]): Behaviour {
  if (prompt.includes(VENDOR_AWAY)) {
    const isLast = triesIn(calls) >= FAILED_TRIES;
    const headers = { 'retry-after': isLast ? NEXT_TRY_SECONDS : '1' };
    return { kind: 'status', status: AWAY, headers };
  }
  if (prompt.includes('never ends')) {
    return { kind: 'hang' };
  }
  if (prompt.includes('of a shop that is closed')) {
    return { kind: 'status', status: REFUSED, code: 'invalid_api_key' };
  }
  return { kind: 'answer', usage: READER };
}

const VENDOR_AWAY = 'while the vendor is away';

function triesIn(calls: readonly VendorCall[]): number {
  return calls.filter(({ prompt }) => prompt.includes(VENDOR_AWAY)).length;
}

const LAST: Readonly<Partial<Record<Picture, string>>> = {
  running: 'write a report that never ends',
  failing: `write a report ${VENDOR_AWAY}`,
};

function designOf(picture: Picture) {
  const what = picture === 'failed' ? 'prices of a shop that is closed' : 'prices';
  const last = LAST[picture] ?? `report ${what}`;
  const approval = picture === 'waiting' ? { approval: true } : {};
  return {
    name: 'Compare podcast apps',
    description: 'Read, compare, report',
    agents: [
      { name: 'reader', role: 'analyzer', llm_model: 'gpt-4o-mini', description: `read ${what}` },
      { name: 'critic', role: 'validator', llm_model: 'gpt-4o', description: `check ${what}` },
      {
        name: 'writer',
        role: 'analyzer',
        llm_model: 'gpt-4o',
        description: last,
        retry_count: 5,
        ...approval,
      },
    ],
  };
}

const Started = z.object({ pipeline_id: z.string() });
const IN_TIME = { timeoutMs: 60_000, pollMs: 100 };

/** Starts a run and waits until it stands so. @returns its id */
export async function startRun(
  owner: Somebody,
  vendors: StandInVendors,
  picture: Picture,
): Promise<string> {
  const order = { design: designOf(picture) };
  const { pipeline_id: id } = Started.parse(
    await owner.ask('POST', '/pipelines/execute-direct', order),
  );
  const isThere = async (): Promise<boolean> => {
    const { status, waiting_for: waitingFor } = await owner.ask('GET', `/pipelines/${id}/status`);
    switch (picture) {
      case 'finished':
        return status === 'completed';
      case 'failed':
        return status === 'failed';
      case 'waiting':
        return waitingFor === 'approval';
      case 'failing':
        return triesIn(vendors.calls) >= FAILED_TRIES;
      case 'running':
        return vendors.calls.some(({ prompt }) => prompt.includes('never ends'));
    }
  };
  if (!(await waitUntil(isThere, IN_TIME))) {
    const status = JSON.stringify(await owner.ask('GET', `/pipelines/${id}/status`));
    throw new Error(`The run that was to be ${picture} is not: ${status}`);
  }
  return id;
}
