import type { CodeOfKind, ErrorCode } from '../errors.js';

/**
 * What a failure says in the Temporal Web UI: first what to do, then what has happened, in words of
 * ours only. Payload codecs do not seal the messages of failures, so nothing of a user, a page, an
 * agent or a vendor may stand in them; the details are sealed, and the texts are in PostgreSQL.
 */
export function adviceOf(code: ErrorCode): string {
  return ADVICE.get(code) ?? `Nothing to do: refused as ${code}, and its caller knows.`;
}

/** Of all that an activity can fail by. */
const ADVICES: Readonly<Record<Exclude<ErrorCode, CodeOfKind<'caller'>>, string>> = {
  'over-budget':
    "Raise the user's daily budget (or SERVER_KEYS_DAILY_USD, where the server's key pays), or wait until midnight UTC: it leaves no room for this call.",
  'no-llm-key':
    'Let the user register a vendor key, or give the server one: no key pays for this call.',
  'llm-key-unreadable':
    'Put the old ENCRYPTION_KEY into ENCRYPTION_KEY_PREVIOUS, or let the user register the key again: the stored vendor keys were sealed with another one.',
  'model-key-refused':
    'Let the user replace the vendor key, or look at its account: the vendor refuses it.',
  'model-credit-exhausted':
    "Let the key's owner top up the account at the vendor: it has no credit left.",
  'model-region-refused':
    'Let the workers call from another region: the vendor does not serve this one.',
  'model-blocked':
    'Look at the proxy or firewall between the workers and the vendor: a page of it refused the call.',
  'model-address-refused':
    'Add the address to MODEL_ENDPOINT_ALLOW_ADDRESSES if it is meant to be reached: the endpoint leads to a private address, or redirects.',
  'model-request-invalid':
    'Look at the model and its limits: the vendor refuses the request as invalid.',
  'model-refused': "Let the user say it otherwise: the vendor's safety policy withheld the answer.",
  'model-unpriced': 'Add the model with its price to the model list: without one it is not called.',
  'attempts-exhausted':
    "Run it again when the vendors' status pages are green: every allowed vendor failed as often as the agent may try.",
  'approval-rejected':
    "Nothing to do: the run's owner has rejected this agent, or did not decide in time.",
  'answer-invalid':
    "Let the user loosen the agent's output_schema, or take a stronger model: the answer does not fit, not even after one repair; the agent's error names the field.",
  'prompt-injection':
    'Read the design before you do anything: it contains text that looks like a prompt injection; nothing was called.',
  'collector-blocked':
    'Let the user choose another source: this one does not allow collection (robots.txt or a refused address).',
  'collector-failed':
    'Look whether the data collector and the source are up: it could not be collected.',
  'model-unavailable':
    'Nothing to do yet: the vendor does not answer properly; tried again automatically.',
  'model-rate-limited': 'Nothing to do yet: the vendor asks to wait; tried again automatically.',
  'model-timeout':
    'Nothing to do yet: the vendor did not answer in time; tried again automatically.',
  'model-empty': 'Nothing to do yet: the model answered without a text; it is tried again.',
  'model-on-hold':
    'Nothing to do yet: the allowed vendors rest after failures, or the key has all its calls in use; tried again automatically.',
  unavailable:
    'Look at PostgreSQL, Redis and the collector if this lasts: one of them is away; tried again automatically.',
  cancelled: 'Nothing to do: it was cancelled.',
  'not-found': 'Nothing to do: what this is about has been deleted.',
  internal: "Look into the worker's log at this time: a mistake of ours.",
};

const ADVICE: ReadonlyMap<string, string> = new Map(Object.entries(ADVICES));
