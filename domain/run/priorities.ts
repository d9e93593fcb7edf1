import type { Role } from '../account/permissions.js';

/** How Temporal orders waiting tasks: by tier first, then fairly by user within the tier. */
export interface TaskPriority {
  /** 1 (first) to 5. */
  readonly priorityKey: number;
  readonly fairnessKey: string;
  readonly fairnessWeight: number;
}

/** Of a chat's turns, before the agents of every tier: a person waits, and may have said "cancel". */
export const TURN_PRIORITY = 1;

const PRIORITY: Readonly<Record<Role, number>> = { admin: 2, pro: 3, free: 4 };
const WEIGHT: Readonly<Record<Role, number>> = { admin: 1, pro: 2, free: 1 };

export function priorityOf(user: { id: string; role: Role }): TaskPriority {
  return {
    priorityKey: PRIORITY[user.role],
    fairnessKey: user.id,
    fairnessWeight: WEIGHT[user.role],
  };
}

/**
 * Of work in the background.
 *
 * @param fairnessKey the user's id, or what the work is where it is of many users
 */
export function lastPriorityOf(fairnessKey: string): TaskPriority {
  return { priorityKey: 5, fairnessKey, fairnessWeight: 1 };
}
