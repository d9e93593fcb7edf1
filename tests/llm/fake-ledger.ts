import type { CallEstimate, BillingContext, Ledger } from '../../domain/account/costs.js';
import type { ChargedReply, Usage } from '../../domain/agents/models.js';

export interface LedgerRow {
  readonly callId: string;
  readonly charge: BillingContext;
  readonly estimate: CallEstimate;
  readonly maxTokens: number;
  state: 'open' | 'settled' | 'estimated' | 'released' | 'unknown';
  outcome: { readonly errorCode: string; readonly usage?: Usage } | null;
  passFailed: boolean;
}

function lastOf(row: LedgerRow | undefined) {
  return row === undefined
    ? null
    : { code: row.outcome?.errorCode ?? 'internal', provider: row.estimate.provider };
}

const MILLION = 1_000_000;

function toCostUsd(price: CallEstimate, usage: Usage): number {
  const input = (usage.promptTokens * Number(price.inputUsdPerMillion)) / MILLION;
  return input + (usage.completionTokens * Number(price.outputUsdPerMillion)) / MILLION;
}

/** A ledger in memory, for what the metered models do with one. */
export function fakeLedger(options: { affordableTokens?: number } = {}) {
  const { affordableTokens = Number.POSITIVE_INFINITY } = options;
  const rows: LedgerRow[] = [];
  const replies = new Map<string, ChargedReply>();
  const rowOf = (callId: string): LedgerRow => {
    const row = rows.find((candidate) => candidate.callId === callId);
    if (row?.state !== 'open') {
      throw new Error(`no open call ${callId}`);
    }
    return row;
  };
  const ledger: Ledger = {
    findReply: (stepId) => Promise.resolve(replies.get(stepId) ?? null),
    reserve: (billing, estimate) => {
      if (affordableTokens < estimate.minTokens) {
        return Promise.resolve({
          kind: 'over-budget',
          limit: estimate.isServerKey === true ? 'server-key' : 'user',
        });
      }
      const maxTokens = Math.min(affordableTokens, estimate.maxTokens);
      const callId = `call-${rows.length + 1}`;
      rows.push({
        callId,
        charge: billing,
        estimate,
        maxTokens,
        state: 'open',
        outcome: null,
        passFailed: false,
      });
      return Promise.resolve({ callId, maxTokens });
    },
    settle: (billing, { callId, reply, fallbackFrom, calls }) => {
      const row = rowOf(callId);
      row.state = reply.isEstimated === true ? 'estimated' : 'settled';
      const charged = {
        ...reply,
        costUsd: toCostUsd(row.estimate, reply.usage),
        fallbackFrom,
        calls,
      };
      replies.set(billing.stepId, charged);
      return Promise.resolve(charged);
    },
    release: (callId, outcome) => {
      Object.assign(rowOf(callId), { state: 'released', outcome });
      return Promise.resolve();
    },
    leaveUnknown: (callId, outcome) => {
      Object.assign(rowOf(callId), { state: 'unknown', outcome });
      return Promise.resolve();
    },
    settleFailure: (callId, outcome) => {
      Object.assign(rowOf(callId), { state: 'settled', outcome });
      return Promise.resolve();
    },
    countFailedAttempt: (callId) => {
      for (const row of rows) {
        row.passFailed ||= row.callId === callId;
      }
      return Promise.resolve();
    },
    readFailures: (stepId) => {
      const ofStep = rows.filter((row) => row.charge.stepId === stepId);
      const failed = ofStep.filter(({ passFailed }) => passFailed);
      const isEmpty = (row: LedgerRow | undefined) => row?.outcome?.errorCode === 'model-empty';
      return Promise.resolve({
        passes: failed.length,
        emptyAnswers: ofStep.filter(isEmpty).length,
        last: lastOf(failed.at(-1)),
      });
    },
  };
  return { ledger, rows };
}
