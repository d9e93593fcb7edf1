import { findChatAccess, type ChatAccess } from '../../db/discussions/chat-access.js';
import type { Db } from '../../db/connect.js';
import { checkCredential, type Credential } from '../../db/users/credentials.js';
import { DomainError } from '../../domain/errors.js';
import { isUuid, type ConversationId, type UserId } from '../../domain/ids.js';
import { LIMITS, type Role } from '../../domain/account/permissions.js';
import type { Logger } from '../../telemetry/logger.js';
import { withDeadline } from './deadline.js';
import type { Lease, Leases } from './leases.js';

export interface AdmissionDeps {
  readonly db: Db;
  readonly leases: Leases;
  /** @throws DomainError `not-authenticated` for a token that does not open the socket */
  readonly readAccess: (token: string) => Promise<Omit<Credential, 'apiKeyId'>>;
  readonly logger: Logger;
}

export interface Admitted {
  readonly kind: 'admitted';
  readonly userId: UserId;
  readonly credential: Credential;
  /** Whether it may start what costs money. */
  readonly isApproved: boolean;
  /** As it was then; it may change while the connection is open. */
  readonly role: Role;
  readonly conversationId: ConversationId;
  /** Events after this `seq` are wanted. */
  readonly after: number;
  readonly isExtended: boolean;
  readonly lease: Lease;
}

export interface Refused {
  readonly kind: 'refused';
  /** For the log and the metric. */
  readonly why: RefusalReason;
  /** 1008: not like this; 1013: not now. Source: contract, websocket §1.1 */
  readonly code: 1008 | 1013;
  /** For the client. */
  readonly reason: string;
}

export type RefusalReason =
  | 'malformed'
  | 'no-token'
  | 'bad-token'
  | 'session-ended'
  | 'not-found'
  | 'not-verified'
  | 'too-many-connections';

const ACCESS_TIMEOUT_MS = 5_000;

/** The checks of the contract (websocket §1.1), in its order. */
export async function admit(deps: AdmissionDeps, path: ChatPath): Promise<Admitted | Refused> {
  const options = parseChatPath(path);
  if (options === null) {
    return refused('malformed', 'validation error');
  }
  if (options.token === '') {
    return refused('no-token', 'missing authentication token');
  }
  const credential = await readCredential(deps, options.token);
  if ('kind' in credential) {
    return credential;
  }
  const { userId } = credential;
  const access = await readChatAccess(deps, options.conversationId, credential);
  if ('kind' in access) {
    return access;
  }
  const lease = await deps.leases.acquire(userId, LIMITS[access.role].wsMaxConnections);
  if (lease === null) {
    return {
      ...refused('too-many-connections', 'too many concurrent connections'),
      code: 1013,
    };
  }
  return {
    kind: 'admitted',
    userId,
    credential,
    role: access.role,
    isApproved: access.isApproved,
    conversationId: options.conversationId,
    after: Math.min(options.after ?? access.lastSeq, access.lastSeq),
    isExtended: options.isExtended,
    lease,
  };
}

/** `/api/v1/ws/chat/{id}?token=…&after=…&events=extended` */
export interface ChatPath {
  readonly id: string;
  readonly query: URLSearchParams;
}

/** @returns null if it is malformed */
function parseChatPath({ id, query }: ChatPath) {
  const after = query.get('after');
  if (!isUuid(id) || (after !== null && !/^\d{1,9}$/.test(after))) {
    return null;
  }
  return {
    conversationId: id.toLowerCase(),
    token: query.get('token') ?? '',
    after: after === null ? null : Number(after),
    isExtended: query.get('events') === 'extended',
  };
}

async function readCredential(deps: AdmissionDeps, token: string): Promise<Credential | Refused> {
  try {
    const { userId, sessionId, issuedAt } = await deps.readAccess(token);
    return isUuid(userId)
      ? { userId, sessionId, apiKeyId: null, issuedAt }
      : refused('bad-token', BAD_TOKEN);
  } catch (error) {
    return refused('bad-token', error instanceof DomainError ? error.message : BAD_TOKEN);
  }
}
const BAD_TOKEN = 'invalid or expired token';

async function readChatAccess(
  deps: AdmissionDeps,
  conversationId: ConversationId,
  credential: Credential,
): Promise<ChatAccess | Refused> {
  const { userId } = credential;
  try {
    const checking = checkCredential(deps.db, credential);
    const state = await withDeadline(checking, ACCESS_TIMEOUT_MS);
    if (state.kind === 'ended' && state.why === 'session-ended') {
      return refused('session-ended', 'the session has ended');
    }
    const finding = findChatAccess(deps.db, conversationId, userId);
    return (
      (await withDeadline(finding, ACCESS_TIMEOUT_MS)) ??
      refused('not-found', 'conversation not found or access denied')
    );
  } catch (error) {
    deps.logger.error('access not verified', { conversationId, userId, error });
    return refused('not-verified', 'access verification failed');
  }
}

/** Source: RFC 6455 §5.5, a control frame's 125 bytes less the code. */
const MAX_REASON_BYTES = 123;

function refused(why: RefusalReason, reason: string): Refused {
  const bytes = Buffer.from(reason);
  const fits = bytes.length <= MAX_REASON_BYTES;
  return { kind: 'refused', why, code: 1008, reason: fits ? reason : BAD_TOKEN };
}
