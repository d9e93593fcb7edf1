/** The contract's eight tables, column by column. Source: contract, data-model §2. */
import { sql } from 'kysely';
import { VENDORS } from '../../domain/agents/models.js';
import { testDbOfFile } from '../support/servers.js';

const testDb = testDbOfFile();

/** Type; `?`: may be null; `= …`: default. Times are `timestamptz`, and money is exact (Better). */
const TABLES: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  users: {
    id: 'uuid',
    email: 'varchar(255)',
    hashed_password: 'varchar(255)',
    display_name: 'varchar(100)',
    role: "text = 'free'",
    created_at: 'timestamptz = now()',
    updated_at: 'timestamptz = now()',
  },
  conversations: {
    id: 'uuid',
    user_id: 'uuid',
    title: 'varchar(255)',
    status: "text = 'active'",
    created_at: 'timestamptz = now()',
    updated_at: 'timestamptz = now()',
  },
  messages: {
    id: 'uuid',
    conversation_id: 'uuid',
    role: 'text',
    content: 'text',
    metadata_: 'json?',
    created_at: 'timestamptz = now()',
  },
  api_keys: {
    id: 'uuid',
    user_id: 'uuid',
    name: 'varchar(100)',
    key_hash: 'varchar(64)',
    key_prefix: 'varchar(11)',
    is_active: 'bool = true',
    last_used_at: 'timestamptz?',
    created_at: 'timestamptz = now()',
  },
  user_daily_costs: {
    id: 'uuid = gen_random_uuid()',
    user_id: 'uuid',
    date: 'varchar(10)',
    total_cost: 'numeric(20,12) = 0',
    updated_at: 'timestamptz = now()',
  },
  pipeline_templates: {
    id: 'uuid',
    user_id: 'uuid',
    name: 'varchar(255)',
    description: 'text?',
    graph_data: 'json',
    design_data: 'json',
    is_public: 'bool = false',
    created_at: 'timestamptz = now()',
    updated_at: 'timestamptz = now()',
  },
  pipeline_executions: {
    id: 'uuid',
    user_id: 'uuid',
    design_name: 'varchar(255)',
    status: "text = 'pending'",
    duration_seconds: 'float8?',
    agent_count: 'int4 = 0',
    error_message: 'text?',
    created_at: 'timestamptz = now()',
  },
  user_llm_keys: {
    id: 'uuid',
    user_id: 'uuid',
    provider: 'text',
    encrypted_key: 'bytea',
    key_prefix: 'varchar(12)',
    nonce: 'bytea',
    is_active: 'bool = true',
    is_valid: 'bool = true',
    last_used_at: 'timestamptz?',
    last_validated_at: 'timestamptz?',
    created_at: 'timestamptz = now()',
    updated_at: 'timestamptz = now()',
  },
};

async function columnsOf(table: string): Promise<Record<string, string>> {
  const { rows } = await sql<{ name: string; kind: string }>`
    select a.attname as name,
      regexp_replace(format_type(a.atttypid, a.atttypmod), '^character varying', 'varchar')
        || case when a.attnotnull then '' else '?' end
        || coalesce(' = ' || split_part(pg_get_expr(d.adbin, d.adrelid), '::', 1), '') as kind
    from pg_attribute a left join pg_attrdef d on d.adrelid = a.attrelid and d.adnum = a.attnum
    where a.attrelid = ${table}::regclass and a.attnum > 0 and not a.attisdropped`.execute(
    testDb.db,
  );
  const short = (kind: string) =>
    kind
      .replace('timestamp with time zone', 'timestamptz')
      .replace('boolean', 'bool')
      .replace('double precision', 'float8')
      .replace('integer', 'int4');
  return Object.fromEntries(rows.map(({ name, kind }) => [name, short(kind)]));
}

test.each(Object.entries(TABLES))('§2 %s has the columns of the contract', async (...row) => {
  const [table, columns] = row;
  expect(await columnsOf(table)).toMatchObject(columns);
});

const ENUMERATIONS: readonly (readonly [string, string, readonly string[]])[] = [
  ['users', 'role', ['free', 'pro', 'admin']],
  ['conversations', 'status', ['active', 'archived']],
  ['messages', 'role', ['user', 'assistant', 'system']],
  [
    'pipeline_executions',
    'status',
    ['pending', 'running', 'completed', 'partial', 'failed', 'timeout', 'cancelled'],
  ],
];

test.each(ENUMERATIONS)('§1 %s.%s is one of %j', async (table, column, values) => {
  const { rows } = await sql<{ rule: string }>`
    select pg_get_constraintdef(oid) as rule from pg_constraint
    where conrelid = ${table}::regclass and contype = 'c' and
      conname = ${`${table}_${column}_check`}`.execute(testDb.db);
  const [{ rule } = { rule: '' }] = rows;
  expect([...rule.matchAll(/'(\w+)'/g)].map(([, value]) => value)).toEqual(values);
});

test.each(Object.keys(TABLES))('§2 %s has `id` as its primary key', async (table) => {
  expect(await constraintsOf(table)).toContain('PRIMARY KEY (id)');
});

const OWNED_BY: readonly (readonly [string, string])[] = [
  ...Object.entries(TABLES).flatMap(([table, columns]) =>
    'user_id' in columns ? [[table, 'user_id) REFERENCES users(id'] as const] : [],
  ),
  ['messages', 'conversation_id) REFERENCES conversations(id'],
];

test.each(OWNED_BY)('§2 %s goes with its owner: %s', async (table, reference) => {
  expect(await constraintsOf(table)).toContain(`FOREIGN KEY (${reference}) ON DELETE CASCADE`);
});

test.each([
  ['user_daily_costs', 'UNIQUE (user_id, date)', 'uq_user_daily_cost'],
  ['user_llm_keys', 'UNIQUE (user_id, provider)', 'uq_user_llm_keys_user_provider'],
  ['api_keys', 'UNIQUE (key_hash)', 'api_keys_key_hash_key'],
])('§2 %s is %s', async (table, rule, name) => {
  expect(await constraintsOf(table)).toContain(rule);
  expect(await constraintNamesOf(table)).toContain(name);
});

test.each([
  ['users', 'UNIQUE', 'lower((email)::text)'],
  ['conversations', '', 'user_id, updated_at DESC'],
  ['messages', '', 'conversation_id, created_at, "position"'],
  ['api_keys', '', 'user_id'],
  ['pipeline_templates', '', 'user_id'],
  ['pipeline_templates', '', 'updated_at DESC) WHERE is_public'],
  ['pipeline_executions', '', 'user_id, created_at DESC'],
  ['user_llm_keys', 'UNIQUE', 'user_id, provider'],
])('§2.9 %s has an %s index on %s', async (table, unique, columns) => {
  const { rows } = await sql<{ indexdef: string }>`
    select indexdef from pg_indexes where tablename = ${table}`.execute(testDb.db);
  const found = rows.filter(({ indexdef }) => indexdef.includes(`USING btree (${columns}`));
  expect(found).not.toEqual([]);
  expect(found.every(({ indexdef }) => indexdef.startsWith(`CREATE ${unique}`))).toBe(true);
});

async function constraintsOf(table: string): Promise<readonly string[]> {
  const { rows } = await sql<{ rule: string }>`
    select pg_get_constraintdef(oid) as rule from pg_constraint
    where conrelid = ${table}::regclass`.execute(testDb.db);
  return rows.map(({ rule }) => rule);
}

async function constraintNamesOf(table: string): Promise<readonly string[]> {
  const { rows } = await sql<{ conname: string }>`
    select conname from pg_constraint where conrelid = ${table}::regclass`.execute(testDb.db);
  return rows.map(({ conname }) => conname);
}

test('no constraint lists providers, so that a new one needs no migration', async () => {
  const { rows } = await sql<{ definition: string }>`
    select pg_get_constraintdef(oid) as definition from pg_constraint where contype = 'c'`.execute(
    testDb.db,
  );
  expect(rows.length).toBeGreaterThan(0);
  const definitions = rows.map(({ definition }) => definition);
  expect(definitions.filter((text) => VENDORS.some((vendor) => text.includes(vendor)))).toEqual([]);
});
