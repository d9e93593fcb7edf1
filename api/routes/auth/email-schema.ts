/** Addresses as registration takes them. Source: contract, http §3 (e-mail rules). */
import { domainToASCII } from 'node:url';

/** Top-level names that never lead to a mailbox. */
const RESERVED = ['arpa', 'invalid', 'local', 'localhost', 'onion', 'test'];
const LOCAL =
  /^[\p{L}\p{N}\p{M}!#$%&'*+\-/=?^_`{|}~]+(\.[\p{L}\p{N}\p{M}!#$%&'*+\-/=?^_`{|}~]+)*$/u;
const LABEL = /^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/;
const MAX_LOCAL = 64;
const MAX_TOTAL = 254;

export type EmailCheck = { kind: 'valid'; email: string } | { kind: 'invalid'; reason: string };

/** Trims, reduces `Name <addr>` to the address, and lower-cases the domain; the local part stays. */
export function readEmail(input: string): EmailCheck {
  const trimmed = input.trim();
  const address = (/^[^<>]*<([^<>]+)>$/.exec(trimmed)?.[1] ?? trimmed).trim().normalize('NFC');
  const at = address.lastIndexOf('@');
  if (at < 0) {
    return invalid('An email address must have an @-sign.');
  }
  const local = address.slice(0, at);
  const domain = address.slice(at + 1).toLowerCase();
  const problem = localProblem(local) ?? domainProblem(domain);
  if (problem !== null) {
    return invalid(problem);
  }
  const email = `${local}@${domain}`;
  return Buffer.byteLength(email) > MAX_TOTAL
    ? invalid('The email address is too long.')
    : { kind: 'valid', email };
}

function localProblem(local: string): string | null {
  if (local === '') {
    return 'There must be something before the @-sign.';
  }
  if (Buffer.byteLength(local) > MAX_LOCAL) {
    return 'The email address is too long before the @-sign.';
  }
  return LOCAL.test(local)
    ? null
    : 'The email address contains invalid characters before the @-sign.';
}

function domainProblem(domain: string): string | null {
  if (domain === '') {
    return 'There must be something after the @-sign.';
  }
  const labels = domainToASCII(domain).split('.');
  const top = labels.at(-1) ?? '';
  if (!labels.every((label) => LABEL.test(label))) {
    return 'The part after the @-sign contains invalid characters.';
  }
  if (RESERVED.includes(top)) {
    return 'The part after the @-sign is a special-use or reserved name that cannot be used with email.';
  }
  if (labels.length < 2) {
    return 'The part after the @-sign is not valid. It should have a period.';
  }
  return /[a-z]$/.test(top)
    ? null
    : 'The part after the @-sign is not valid. It is not within a valid top-level domain.';
}

function invalid(reason: string): EmailCheck {
  return { kind: 'invalid', reason };
}
