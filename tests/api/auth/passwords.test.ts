import { randomBytes, randomUUID } from 'node:crypto';
import { createPasswords } from '../../../api/auth/passwords.js';
import { createTokens } from '../../../api/auth/tokens.js';

const COST = 10;

test('many sign-ins at once do not keep tokens from being read', async () => {
  const tokens = createTokens({
    secretKey: randomBytes(32).toString('hex'),
    ...{ algorithm: 'HS256', accessMinutes: 30, refreshDays: 7 },
  });
  const owner = {
    id: randomUUID(),
    role: 'free',
    email: 'a@example.com',
    displayName: 'A',
  } as const;
  const token = await tokens.issueAccess(owner);
  const passwords = createPasswords(COST);
  const hash = await passwords.hash('Passw0rd');
  let ended = 0;
  const signIns = Array.from({ length: 24 }, async (_, index) => {
    const isRight = await passwords.matches(index % 2 === 0 ? 'Passw0rd' : 'Wrong0000', hash);
    ended += 1;
    return isRight;
  });
  expect(await tokens.readAccess(token)).toMatchObject({ userId: owner.id });
  expect(ended).toBeLessThan(8);
  expect(await Promise.all(signIns)).toEqual(
    Array.from({ length: 24 }, (_, index) => index % 2 === 0),
  );
});
