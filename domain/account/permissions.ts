export const ROLES = ['free', 'pro', 'admin'] as const;
export type Role = (typeof ROLES)[number];

/** What a role may use. Source: contract, security §4. `-1` means unlimited; `0` does not. */
export interface Limits {
  readonly maxPipelinesPerDay: number;
  readonly maxDiscussionsPerDay: number;
  readonly maxRequestsPerMinute: number;
  readonly wsMaxMessageBytes: number;
  readonly wsMaxConnections: number;
  readonly maxCostPerDayUsd: number;
}

export const UNLIMITED = -1;

export const LIMITS: Readonly<Record<Role, Limits>> = {
  free: {
    maxPipelinesPerDay: 3,
    maxDiscussionsPerDay: 10,
    maxRequestsPerMinute: 10,
    wsMaxMessageBytes: 4_096,
    wsMaxConnections: 2,
    maxCostPerDayUsd: 1,
  },
  pro: {
    maxPipelinesPerDay: 100,
    maxDiscussionsPerDay: UNLIMITED,
    maxRequestsPerMinute: 60,
    wsMaxMessageBytes: 65_536,
    wsMaxConnections: 10,
    maxCostPerDayUsd: 50,
  },
  admin: {
    maxPipelinesPerDay: UNLIMITED,
    maxDiscussionsPerDay: UNLIMITED,
    maxRequestsPerMinute: UNLIMITED,
    wsMaxMessageBytes: 1_048_576,
    wsMaxConnections: UNLIMITED,
    maxCostPerDayUsd: UNLIMITED,
  },
};

/**
 * What bounds an account where the contract names no limit. Ours: far more than a person needs, and
 * less than fills a disk or keeps the workers busy.
 */
export interface Bounds {
  /** Runs begun on a UTC day, whether or not they give their count back: ten times the quota. */
  readonly maxStartsPerDay: number;
  readonly maxConversations: number;
  /** What all templates of a user take, as PostgreSQL stores them. */
  readonly maxTemplateBytes: number;
}

const MEBIBYTE = 1_048_576;

export const BOUNDS: Readonly<Record<Role, Bounds>> = {
  free: { maxStartsPerDay: 30, maxConversations: 1_000, maxTemplateBytes: 20 * MEBIBYTE },
  pro: { maxStartsPerDay: 1_000, maxConversations: 10_000, maxTemplateBytes: 100 * MEBIBYTE },
  admin: {
    maxStartsPerDay: UNLIMITED,
    maxConversations: UNLIMITED,
    maxTemplateBytes: UNLIMITED,
  },
};

/**
 * How much a user's UTC day may cost, in US dollars, as an exact decimal; null for no limit.
 *
 * @param budgetUsd what an administrator has set in place of the role's limit, or null
 */
export function dailyLimitUsd(role: Role, budgetUsd: string | null): string | null {
  const ofRole = LIMITS[role].maxCostPerDayUsd;
  return budgetUsd ?? (ofRole === UNLIMITED ? null : String(ofRole));
}

export function isRole(value: unknown): value is Role {
  return ROLES.some((role) => role === value);
}

/** Whether `used` leaves room for one more under `limit`; only `-1` is unlimited. */
export function hasRoom(used: number, limit: number): boolean {
  return limit === UNLIMITED || used < limit;
}

/** Actions that not every signed-in user may take. */
export type Action =
  | 'pipeline:start'
  | 'discussion:start'
  | 'user:set-role'
  | 'user:set-budget'
  | 'user:delete'
  | 'user:disable'
  | 'user:enable'
  | 'user:approve'
  | 'endpoint:share'
  | 'run:release'
  | 'admin:read'
  | 'audit:read-any'
  | 'payload:decode';

const ALLOWED: Readonly<Record<Action, readonly Role[]>> = {
  'pipeline:start': ROLES,
  'discussion:start': ROLES,
  'user:set-role': ['admin'],
  'user:set-budget': ['admin'],
  'user:delete': ['admin'],
  'user:disable': ['admin'],
  'user:enable': ['admin'],
  'user:approve': ['admin'],
  'endpoint:share': ['admin'],
  'run:release': ['admin'],
  'admin:read': ['admin'],
  'audit:read-any': ['admin'],
  'payload:decode': ['admin'],
};

/** What an account may not do that awaits its approval: all that costs somebody money. */
export function needsApproval(action: Action): boolean {
  return action === 'pipeline:start' || action === 'discussion:start';
}

export const AWAITING_APPROVAL =
  'The account awaits the approval of an administrator; until then it can start nothing';

export function mayDo(role: Role, action: Action): boolean {
  return ALLOWED[action].includes(role);
}
