/**
 * The role that our processes have in the embedded database. It owns the product's database, as in
 * deploy/compose/create-roles.sh, and is no administrator: it reads no files and runs no programs.
 */
import type pg from 'pg';

/** Made with the cluster; its name cannot be taken from it. */
export const ADMINISTRATOR = 'agentforge';
export const APP_ROLE = 'agentforge_app';
export const DATABASE = 'agentforge';

/** Runs with a connection of the administrator's to a database. */
type AsAdministrator = (
  database: string,
  work: (client: pg.Client) => Promise<unknown>,
) => Promise<void>;

/** Makes role and database where they are missing, and gives the role what an earlier release has made. */
export async function prepareDatabase(as: AsAdministrator, appPassword: string): Promise<void> {
  await as('postgres', async (client) => {
    await ensureRole(client, appPassword);
    if (!(await exists(client, 'select from pg_database where datname = $1', DATABASE))) {
      await client.query(`create database ${DATABASE} owner ${APP_ROLE}`);
    }
    await client.query(`alter database ${DATABASE} owner to ${APP_ROLE}`);
    await client.query(`revoke connect on database ${DATABASE}, postgres from public`);
  });
  await as(DATABASE, (client) => client.query(TAKE_OVER));
}

async function ensureRole(client: pg.Client, password: string): Promise<void> {
  if (!(await exists(client, 'select from pg_roles where rolname = $1', APP_ROLE))) {
    await client.query(`create role ${APP_ROLE}`);
  }
  const least = 'login nosuperuser nocreatedb nocreaterole noreplication nobypassrls';
  const secret = client.escapeLiteral(password);
  await client.query(`alter role ${APP_ROLE} with ${least} password ${secret}`);
}

async function exists(client: pg.Client, query: string, name: string): Promise<boolean> {
  return (await client.query(query, [name])).rowCount === 1;
}

/**
 * All that the administrator owns in the schema `public`; sequences of columns follow their table.
 * `reassign owned` refuses to: the administrator owns the system's own tables as well.
 */
const TAKE_OVER = `
do $$
declare
  statement text;
begin
  for statement in
    select format('alter table %s owner to ${APP_ROLE}', c.oid::regclass)
    from pg_class c
    where c.relnamespace = 'public'::regnamespace
      and c.relowner = current_user::regrole
      and c.relkind in ('r', 'p', 'v', 'm', 'f', 'S')
      and not exists (
        select from pg_depend d
        where d.classid = 'pg_class'::regclass and d.objid = c.oid and d.deptype in ('a', 'i', 'e')
          and d.refclassid = 'pg_class'::regclass and c.relkind = 'S'
      )
    union all
    select format('alter routine %s owner to ${APP_ROLE}', p.oid::regprocedure)
    from pg_proc p
    where p.pronamespace = 'public'::regnamespace and p.proowner = current_user::regrole
    union all
    select format('alter type %s owner to ${APP_ROLE}', t.oid::regtype)
    from pg_type t
    where t.typnamespace = 'public'::regnamespace
      and t.typowner = current_user::regrole
      and t.typtype in ('e', 'd')
    union all
    select format('alter schema public owner to ${APP_ROLE}')
    from pg_namespace n
    where n.nspname = 'public' and n.nspowner = current_user::regrole
  loop
    execute statement;
  end loop;
end $$`;
