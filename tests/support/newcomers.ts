import { createTokens } from '../../api/auth/tokens.js';
import type { Role } from '../../domain/account/permissions.js';
import { personOf, type Person } from './person.js';
import type { Product } from './product.js';
import { createTestUser } from './servers.js';

/** A user of a role whose sign-up has cost no hash of a password, and whom no limiter has counted. */
export async function enter({ db, env, url }: Product, role: Role): Promise<Person> {
  const user = await createTestUser(db, { role });
  const tokens = createTokens({
    secretKey: env['SECRET_KEY'] ?? '',
    algorithm: 'HS256',
    accessMinutes: 30,
    refreshDays: 7,
  });
  return personOf(url, await tokens.issueAccess({ ...user, displayName: 'Test User' }));
}
