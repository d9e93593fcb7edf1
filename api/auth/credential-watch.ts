/** Notices what changes for connections while they are open: their credential, or their user's role. */
import type { Db } from '../../db/connect.js';
import { checkCredentials, type Credential } from '../../db/users/credentials.js';
import type { UserRow } from '../../db/users/users.js';
import type { Bus } from '../../events/bus.js';
import type { Logger } from '../../telemetry/logger.js';

export interface Watched {
  readonly credential: Credential;
  /** The credential counts no more: the connection must end. */
  readonly onEnded: (reason: string) => void;
  /** Called with each look, whether or not the user has changed. */
  readonly onUser: (user: UserRow) => void;
}

export interface CredentialWatch {
  /** @returns to be called when the connection has ended */
  add(watched: Watched): () => void;
  close(): void;
}

export interface CredentialWatchDeps {
  readonly db: Db;
  readonly bus: Pick<Bus, 'onUserGone'>;
  readonly logger: Logger;
  /** How often PostgreSQL is asked, since a word may be lost. Tests shorten it. */
  readonly everyMs?: number;
}

/** Half of what a connection may outlive its credential by. */
const EVERY_MS = 5_000;

/**
 * A word on the bus names a user of whom something has changed; what has changed is looked up in
 * PostgreSQL, for all connections of this process in one query.
 */
export function createCredentialWatch(deps: CredentialWatchDeps): CredentialWatch {
  const all = new Set<Watched>();

  async function look(userId: string | null): Promise<void> {
    // the newest first: if a role leaves room for fewer, the oldest ones stay
    const watched = [...all]
      .reverse()
      .filter(({ credential }) => userId === null || credential.userId === userId);
    try {
      const states = await checkCredentials(
        deps.db,
        watched.map(({ credential }) => credential),
      );
      states.forEach((state, index) => {
        const one = watched[index];
        if (one === undefined || !all.has(one)) {
          return; // ended meanwhile
        }
        if (state.kind === 'ended') {
          all.delete(one);
          one.onEnded(REASONS[state.why]);
        } else {
          one.onUser(state.user);
        }
      });
    } catch (error) {
      deps.logger.warn('credentials not checked, asking again', { error }); // at the next tick
    }
  }

  const hearing = deps.bus.onUserGone((userId) => void look(userId));
  const timer = setInterval(() => void look(null), deps.everyMs ?? EVERY_MS).unref();
  return {
    add(watched) {
      all.add(watched);
      return () => {
        all.delete(watched);
      };
    },
    close() {
      clearInterval(timer);
      all.clear();
      void hearing.then((stopHearing) => {
        stopHearing();
      });
    },
  };
}

const REASONS = {
  'user-gone': 'user not found',
  disabled: 'user not found',
  'session-ended': 'the session has ended',
} as const;
