/** The one switch between the two Temporal servers that tests and measurements can run against. */
export const TEMPORAL_VARIABLE = 'AGENTFORGE_TEST_TEMPORAL';

/** `dev`: the CLI's dev server, on SQLite. `server`: the real server, on PostgreSQL. */
export const TEMPORAL_KINDS = ['dev', 'server'] as const;
export type TemporalKind = (typeof TEMPORAL_KINDS)[number];

/** @throws Error that names the variable and its values */
export function chosenTemporal(env: NodeJS.ProcessEnv = process.env): TemporalKind {
  const value = env[TEMPORAL_VARIABLE]?.trim() ?? '';
  const kind = TEMPORAL_KINDS.find((name) => name === (value === '' ? 'dev' : value));
  if (kind === undefined) {
    throw new Error(
      `${TEMPORAL_VARIABLE} is '${value}': set it to ${TEMPORAL_KINDS.join(' or ')}.`,
    );
  }
  return kind;
}
