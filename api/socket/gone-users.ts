import { findGoneUsers } from '../../db/user-deletion.js';
import type { Db } from '../../db/connect.js';
import type { UserId } from '../../domain/ids.js';
import type { Bus } from '../../events/bus.js';
import type { Logger } from '../../telemetry/logger.js';

export interface GoneUsersDeps {
  readonly db: Db;
  readonly bus: Pick<Bus, 'onUserGone'>;
  readonly logger: Logger;
  /** How often PostgreSQL is asked, since a word may be lost. */
  readonly everyMs: number;
  /** Who is connected here. */
  users(): readonly UserId[];
  onGone(userId: UserId): void;
}

/**
 * Notices users who are deleted while they are connected: at the bus's word, and now and then. The
 * word alone closes nothing; PostgreSQL says who is gone.
 */
export function watchGoneUsers(deps: GoneUsersDeps): { stop(): void } {
  async function look(userIds: readonly UserId[]): Promise<void> {
    try {
      (await findGoneUsers(deps.db, userIds)).forEach(deps.onGone);
    } catch (error) {
      deps.logger.warn('nobody knows who is gone, asking again', { error }); // at the next tick
    }
  }
  const hearing = deps.bus.onUserGone((userId) => {
    const connected = deps.users();
    void look(userId === null ? connected : connected.filter((id) => id === userId));
  });
  const timer = setInterval(() => void look(deps.users()), deps.everyMs).unref();
  return {
    stop() {
      clearInterval(timer);
      void hearing.then((stopHearing) => {
        stopHearing();
      });
    },
  };
}
