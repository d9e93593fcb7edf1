import { randomUUID } from 'node:crypto';
import { createTokens } from '../api/auth/tokens.js';
import type { Role } from '../domain/account/permissions.js';
import type { Place } from './place.js';

export interface BenchUser {
  readonly id: string;
  readonly role: Role;
  /** An access token. */
  readonly token: string;
}

const MINUTES = 60;

/** Users made by their rows and signed in by their tokens, without password hashes. */
export async function createUsers(
  { db, env }: Place,
  count: number,
  role: Role = 'pro',
): Promise<readonly BenchUser[]> {
  const tokens = createTokens({
    secretKey: env['SECRET_KEY'] ?? '',
    algorithm: 'HS256',
    accessMinutes: MINUTES,
    refreshDays: 1,
  });
  const rows = Array.from({ length: count }, () => {
    const id = randomUUID();
    const email = `${id}@example.com`;
    return { id, role, email, displayName: 'Somebody', hashedPassword: 'unusable' };
  });
  await db.insertInto('users').values(rows).execute();
  return Promise.all(
    rows.map(async (row) => ({ id: row.id, role, token: await tokens.issueAccess(row) })),
  );
}
