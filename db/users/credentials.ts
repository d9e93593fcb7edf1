/** What a request or a connection was admitted with, and whether it still counts. */
import { sql } from 'kysely';
import { DomainError } from '../../domain/errors.js';
import type { UserId } from '../../domain/ids.js';
import type { Db, Tx } from '../connect.js';
import type { UserRow } from './users.js';

export interface Credential {
  readonly userId: UserId;
  /** Family of the refresh token beside an access token; null for an API key. */
  readonly sessionId: string | null;
  readonly apiKeyId: string | null;
  /** When the token was made; null for an API key. */
  readonly issuedAt: Date | null;
}

export type CredentialState =
  | { readonly kind: 'counts'; readonly user: UserRow }
  | { readonly kind: 'ended'; readonly why: 'user-gone' | 'disabled' | 'session-ended' };

/**
 * Asks for many at once, in one query. A token that names a session counts as long as the session;
 * one that names none counts from `sessions_valid_after` on; an API key counts while it and all
 * keys that it descends from are active. docs/decisions/0012 says why.
 */
export async function checkCredentials(
  db: Db | Tx,
  credentials: readonly Credential[],
): Promise<readonly CredentialState[]> {
  if (credentials.length === 0) {
    return [];
  }
  const { rows } = await sql<CheckedRow>`
    select asked.position, users.*, case
        when asked.api_key_id is not null then (
          with recursive line as (
            select parent_id, is_active from api_keys
              where id = asked.api_key_id and user_id = asked.user_id
            union all
            select parent.parent_id, parent.is_active
              from line join api_keys as parent on parent.id = line.parent_id
          ) select coalesce(bool_and(is_active), false) from line)
        when asked.session_id is not null then exists (
          select from refresh_tokens as token
            where token.family_id = asked.session_id and token.user_id = asked.user_id
              and token.revoked_at is null)
        else asked.issued_at >= coalesce(users.sessions_valid_after, '-infinity')
      end as is_open
    from unnest(
        ${credentials.map((it) => it.userId)}::uuid[],
        ${credentials.map((it) => it.sessionId)}::uuid[],
        ${credentials.map((it) => it.apiKeyId)}::uuid[],
        ${credentials.map((it) => it.issuedAt?.toISOString() ?? null)}::timestamptz[]
      ) with ordinality as asked (user_id, session_id, api_key_id, issued_at, position)
    left join users on users.id = asked.user_id and users.deleted_at is null
    order by asked.position`.execute(db);
  return rows.map(stateOf);
}

type CheckedRow = { readonly [K in keyof UserRow]: UserRow[K] | null } & {
  readonly position: number;
  readonly isOpen: boolean | null;
};

function stateOf({ position: _position, isOpen, ...row }: CheckedRow): CredentialState {
  if (!isUserRow(row)) {
    return { kind: 'ended', why: 'user-gone' };
  }
  if (row.disabledAt !== null) {
    return { kind: 'ended', why: 'disabled' };
  }
  return isOpen === true ? { kind: 'counts', user: row } : { kind: 'ended', why: 'session-ended' };
}

function isUserRow(row: { readonly id: string | null }): row is UserRow {
  return row.id !== null;
}

export async function checkCredential(
  db: Db | Tx,
  credential: Credential,
): Promise<CredentialState> {
  const [state] = await checkCredentials(db, [credential]);
  return state ?? { kind: 'ended', why: 'user-gone' };
}

/** @throws `not-authenticated` if it has ended, with the reason */
export async function requireCredential(db: Db | Tx, credential: Credential): Promise<UserRow> {
  const state = await checkCredential(db, credential);
  if (state.kind === 'ended') {
    throw new DomainError('not-authenticated', ENDED[state.why]);
  }
  return state.user;
}

const ENDED = {
  'user-gone': 'User not found',
  disabled: 'The account is disabled',
  'session-ended': 'The session has ended',
} as const;
