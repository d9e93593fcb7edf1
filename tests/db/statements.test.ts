import { sql } from 'kysely';
import { createStatement } from '../../db/statements.js';
import { testDbOfFile } from '../support/servers.js';

const server = testDbOfFile();

test('its text is made once, and each value stands wherever it is named', async () => {
  let made = 0;
  const statement = createStatement<
    { readonly first: number; readonly second: string | null },
    { readonly theSum: number; readonly theText: string | null; readonly fixed: string }
  >((value) => {
    made += 1;
    return sql`select ${value('first')}::integer + ${value('first')}::integer as the_sum,
      ${value('second')}::text as the_text, ${'as it is'}::text as fixed`;
  });
  const read = async (first: number, second: string | null) =>
    (await statement(server.db, { first, second }))[0];
  expect(await read(1, 'a')).toEqual({ theSum: 2, theText: 'a', fixed: 'as it is' });
  expect(await read(2, null)).toEqual({ theSum: 4, theText: null, fixed: 'as it is' });
  const inside = await server.db
    .transaction()
    .execute((tx) => statement(tx, { first: 3, second: 'b' }));
  expect(inside).toEqual([{ theSum: 6, theText: 'b', fixed: 'as it is' }]);
  expect(made).toBe(1);
});
