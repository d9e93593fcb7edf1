/** docs/configuration.md and `.env.example`, made from the schemas that the processes parse. */
import { readFileSync } from 'node:fs';
import { format, resolveConfig } from 'prettier';
import { z } from 'zod';
import { CollectorEnvironment, CollectorOnlyEnvironment } from '../config/collector-config.js';
import {
  ApiEnvironment,
  CollectingEnvironment,
  ConnectionsEnvironment,
  Environment,
  LimitsEnvironment,
  ModelsEnvironment,
  ProcessEnvironment,
  RetentionEnvironment,
  SecretsEnvironment,
  WorkerEnvironment,
} from '../config/settings.js';
import { TracesEnvironment } from '../config/traces-config.js';
import { StartEnvironment } from './start/settings.js';

interface Section {
  readonly title: string;
  readonly note?: string;
  readonly shape: Readonly<Record<string, z.ZodType>>;
}

const SECTIONS: readonly Section[] = [
  {
    title: 'Connections',
    note: 'Under `npm start`, an address that is not set means: start that server here.',
    shape: ConnectionsEnvironment.shape,
  },
  { title: 'The API', shape: ApiEnvironment.shape },
  { title: 'The worker', shape: WorkerEnvironment.shape },
  { title: 'Every process', shape: ProcessEnvironment.shape },
  {
    title: 'Secrets and tokens',
    note: 'Outside of `npm start` the secrets have no default and must be set.',
    shape: SecretsEnvironment.shape,
  },
  { title: 'Models', shape: ModelsEnvironment.shape },
  {
    title: 'The data collector',
    shape: { ...CollectingEnvironment.shape, ...CollectorOnlyEnvironment.shape },
  },
  { title: 'Limits', shape: LimitsEnvironment.shape },
  {
    title: 'Retention',
    note: 'In days; `0` means for ever. A nightly workflow removes what is older. It removes nothing of a run that has not ended.',
    shape: RetentionEnvironment.shape,
  },
  { title: 'Traces', shape: TracesEnvironment.shape },
  { title: '`npm start` only', shape: startOnly() },
];

/** Variables that docker-compose.yml alone reads. Its defaults are read from it. */
const COMPOSE_ONLY: Readonly<Record<string, string>> = {
  POSTGRES_PASSWORD:
    'Password of the product in PostgreSQL. Letters and digits only, since it becomes part of an address: `openssl rand -hex 24`. deploy/compose/secrets.sh adds each password that is missing.',
  TEMPORAL_POSTGRES_PASSWORD: 'Password of Temporal in PostgreSQL.',
  REDIS_PASSWORD: 'Password of the API and the workers in Redis.',
  COLLECTOR_REDIS_PASSWORD: 'Password of the collector in Redis, which has keys of its own there.',
  REDIS_IMAGE: 'Image of Redis, for example by digest.',
  POSTGRES_IMAGE: 'Image of PostgreSQL.',
  TEMPORAL_IMAGE: 'Image of Temporal.',
  TEMPORAL_TOOLS_IMAGE: 'Image of Temporal’s tools, which bring its schema up to date.',
  PROMETHEUS_IMAGE: 'Image of Prometheus.',
  GRAFANA_IMAGE: 'Image of Grafana.',
  AGENTFORGE_TAG: 'Tag of the image of the product’s own processes.',
};

interface Variable {
  readonly name: string;
  readonly type: string;
  /** null: none */
  readonly defaultText: string | null;
  readonly isRequired: boolean;
  readonly example: string;
  readonly description: string;
  readonly readBy: readonly string[];
}

export interface ConfigurationDocs {
  /** The text of docs/configuration.md. */
  readonly page: string;
  /** The text of `.env.example`. */
  readonly example: string;
  readonly variables: readonly Variable[];
}

/** @throws Error naming a variable without a description */
export async function makeConfigurationDocs(): Promise<ConfigurationDocs> {
  const sections = [
    ...SECTIONS.map(({ title, note, shape }) => ({
      ...{ title, note },
      variables: Object.entries(shape).map(([name, schema]) => describeVariable(name, schema)),
    })),
    {
      title: '`docker-compose.yml` only',
      note: 'docs/production.md describes that deployment.',
      variables: composeVariables(),
    },
  ];
  const settings = await resolveConfig(import.meta.filename);
  return {
    page: await format(pageOf(sections), { ...settings, parser: 'markdown' }),
    example: exampleOf(sections),
    variables: sections.flatMap(({ variables }) => variables),
  };
}

/** What the product's own sections do not describe. */
function startOnly(): Section['shape'] {
  const shared = [Environment.shape, CollectorEnvironment.shape];
  return Object.fromEntries(
    Object.entries(StartEnvironment.shape).filter(([name]) =>
      shared.every((shape) => !Object.hasOwn(shape, name)),
    ),
  );
}

/** Of the JSON schema of one setting. */
const Shown = z.object({
  type: z.string(),
  description: z.string(),
  enum: z.array(z.string()).optional(),
  format: z.string().optional(),
  form: z.string().optional(),
  example: z.string().optional(),
  readBy: z.array(z.string()).default([]),
  minimum: z.number().optional(),
  exclusiveMinimum: z.number().optional(),
  maximum: z.number().optional(),
});

function describeVariable(name: string, schema: z.ZodType): Variable {
  const json = z.toJSONSchema(schema, { io: 'input', unrepresentable: 'any' });
  const shown = Shown.safeParse(json);
  if (!shown.success) {
    throw new Error(`${name} has no description in config/: ${shown.error.message}`);
  }
  const unset = schema.safeParse(undefined);
  const { description, example = '', readBy } = shown.data;
  return {
    ...{ name, description },
    type: typeOf(shown.data),
    defaultText: unset.success ? textOf(unset.data) : null,
    isRequired: !unset.success,
    example,
    readBy: [
      ...readBy,
      ...(Object.hasOwn(CollectorEnvironment.shape, name) ? ['collector'] : []),
      ...(Object.hasOwn(StartEnvironment.shape, name) ? ['npm start'] : []),
    ],
  };
}

/** null: the setting is off, or has no value */
function textOf(value: unknown): string | null {
  const isText = ['string', 'number', 'boolean'].includes(typeof value);
  return isText && value !== '' ? String(value) : null;
}

function typeOf(shown: z.infer<typeof Shown>): string {
  if (shown.form !== undefined) {
    return shown.form;
  }
  if (shown.enum !== undefined) {
    return shown.enum.map((value) => `\`${value}\``).join(', ');
  }
  if (shown.format === 'uri') {
    return 'address';
  }
  const { type, minimum, exclusiveMinimum, maximum } = shown;
  const isBounded = maximum !== undefined && maximum < Number.MAX_SAFE_INTEGER;
  const bounds = [
    ...(minimum === undefined ? [] : [`from ${minimum}`]),
    ...(exclusiveMinimum === undefined ? [] : [`over ${exclusiveMinimum}`]),
    ...(isBounded ? [`to ${maximum}`] : []),
  ];
  return [type === 'string' ? 'text' : type, ...bounds].join(' ');
}

function composeVariables(): readonly Variable[] {
  const text = readFileSync('docker-compose.yml', 'utf8');
  const defaults = [...text.matchAll(/\$\{(\w+):-([^}]+)\}/g)];
  return Object.entries(COMPOSE_ONLY).map(([name, description]) => {
    const defaultText = defaults.find(([, named]) => named === name)?.[2] ?? null;
    return {
      ...{ name, description, defaultText },
      type: 'text',
      isRequired: defaultText === null,
      example: '',
      readBy: ['docker compose'],
    };
  });
}

interface Listed {
  readonly title: string;
  readonly note?: string | undefined;
  readonly variables: readonly Variable[];
}

function pageOf(sections: readonly Listed[]): string {
  return [
    '# Configuration',
    '',
    '<!-- Made by `npm run docs:generate` from the schemas of config/: change those. -->',
    '',
    'Settings come from the environment and from a file `.env` in the working directory. What is set in the environment wins.',
    'An empty value counts as not set. A process that cannot use a setting names it and exits with 1.',
    '',
    '[.env.example](../.env.example) lists all of them. `npm start` needs none.',
    '`DAILY_COST_LIMIT`, found in older deployment files, is not read: the limits of the user’s role rule.',
    '',
    'OpenTelemetry, pg, gRPC and the vendors’ packages read settings of their own (`OTEL_*`, `PGSSL*`, `HTTPS_PROXY` and the like), which `npm start` passes on to the process that needs them.',
    ...sections.flatMap(({ title, note, variables }) => [
      '',
      `## ${title}`,
      ...(note === undefined ? [] : ['', linked(note)]),
      '',
      '| Variable | Type | Default | Read by | What it does |',
      '| --- | --- | --- | --- | --- |',
      ...variables.map(rowOf),
    ]),
  ].join('\n');
}

function rowOf(variable: Variable): string {
  const { name, type, defaultText, isRequired, readBy, description } = variable;
  const unset = isRequired ? 'required' : '–';
  const cells = [
    `\`${name}\``,
    type,
    defaultText === null ? unset : `\`${defaultText}\``,
    readBy.join(', '),
    linked(description),
  ];
  return `| ${cells.map((cell) => cell.replaceAll('|', '\\|')).join(' | ')} |`;
}

/** Names of files become links from docs/. */
function linked(text: string): string {
  return text
    .replaceAll(/\bdocs\/([\w-]+\.md)/g, '[$1]($1)')
    .replaceAll(/\b((?:deploy|llm)\/[\w/-]+\.\w+)/g, '[$1](../$1)');
}

const LINE_LENGTH = 100;

function exampleOf(sections: readonly Listed[]): string {
  const lines = [
    '# Copy to `.env` and set what you need; everything has a default under `npm start`.',
    '# What is set in the environment wins over this file.',
    '# Made by `npm run docs:generate` from the schemas of config/: change those.',
    ...sections.flatMap(({ title, note, variables }) => [
      '',
      `# --- ${title} ${'-'.repeat(LINE_LENGTH - title.length - 7)}`,
      ...(note === undefined ? [] : commented(note)),
      ...variables.flatMap((variable) => [
        '',
        ...commented(variable.description),
        `# ${variable.name}=${variable.example || (variable.defaultText ?? '')}`,
      ]),
    ]),
  ];
  return `${lines.join('\n')}\n`;
}

function commented(text: string): readonly string[] {
  const lines: string[] = [];
  let line = '#';
  for (const word of text.split(' ')) {
    if (line.length + 1 + word.length > LINE_LENGTH) {
      lines.push(line);
      line = '#';
    }
    line += ` ${word}`;
  }
  return [...lines, line];
}
