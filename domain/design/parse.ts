/** The one parser of a design: of what clients post, models answer and our releases have stored. */
import {
  AGENT_DEFAULTS,
  DECISIONS,
  type AgentSpec,
  type Design,
  type EdgeSpec,
} from './designs.js';
import {
  REFUSED,
  Reading,
  always,
  decimal,
  flag,
  integer,
  list,
  mapped,
  object,
  oneOf,
  orElse,
  orNull,
  ref,
  someOf,
  text,
  withDefault,
  type Field,
  type FieldsOf,
  type Form,
  type Problem,
} from './fields.js';
import { AGENT_RANGES, DESIGN_LIMITS, limitFor, type DesignSource } from './limits.js';
import { OUTPUT_SCHEMA, OUTPUT_SCHEMA_FORMS, STORED_SCHEMA } from './output-schema.js';

export type Parsed<T> =
  | { readonly kind: 'parsed'; readonly value: T }
  | { readonly kind: 'problems'; readonly problems: readonly Problem[] };

/**
 * A design with its defaults, or all that is wrong with it.
 *
 * @param source whose limits hold. Texts of models and of the store are taken with NUL and half
 *   surrogates in them; `toStorableDesign` mends those.
 */
export function parseDesign(value: unknown, source: DesignSource): Parsed<Design> {
  return parse(DESIGNS[source], value);
}

/** What a re-run may change of an agent: all but its name, which the graph is made of. */
export type AgentChanges = Readonly<Partial<Omit<AgentSpec, 'name'>>>;

export function parseAgentChanges(value: unknown): Parsed<AgentChanges> {
  return parse(AGENT_CHANGES, value);
}

function parse<T>(field: Field<T>, value: unknown): Parsed<T> {
  const reading = new Reading();
  const read = field.read(value, reading);
  return read === REFUSED
    ? { kind: 'problems', problems: reading.problems }
    : { kind: 'parsed', value: read };
}

/** A text of a design, as long as its source may make it. */
function words(source: DesignSource, what: keyof typeof DESIGN_LIMITS, min = 0): Field<string> {
  const unstorable = source === 'client' ? 'refused' : 'taken';
  return text({ min, max: limitFor(source, what), unstorable });
}

type Basics = Pick<AgentSpec, 'name' | 'role' | 'llm_model' | 'description'>;

/** @param min characters of a name */
function basicsOf(source: DesignSource, min = 0): FieldsOf<Basics> {
  return {
    name: words(source, 'agentName', min),
    role: words(source, 'role', min),
    llm_model: words(source, 'llmModel', min),
    description: words(source, 'agentDescription'),
  };
}

type Settings = Omit<Required<AgentSpec>, keyof Basics | 'max_tokens_named'>;

const CLIENT_SETTINGS: FieldsOf<Settings> = {
  custom_prompt: orNull(words('client', 'customPrompt')),
  temperature: decimal(AGENT_RANGES.temperature),
  max_tokens: integer(AGENT_RANGES.maxTokens),
  retry_count: integer(AGENT_RANGES.retryCount),
  is_custom_role: flag,
  output_schema: orNull(OUTPUT_SCHEMA),
  approval: flag,
  approval_timeout_seconds: integer(AGENT_RANGES.approvalTimeoutSeconds),
  on_approval_timeout: oneOf(DECISIONS),
};

const STORED_SETTINGS: FieldsOf<Settings> = {
  ...CLIENT_SETTINGS,
  custom_prompt: orNull(words('store', 'customPrompt')),
  temperature: decimal(),
  max_tokens: decimal(),
  retry_count: decimal(),
  output_schema: orNull(STORED_SCHEMA),
  approval_timeout_seconds: decimal(),
};

function withDefaults(settings: FieldsOf<Settings>): FieldsOf<Settings> {
  const known = AGENT_DEFAULTS;
  return {
    custom_prompt: withDefault(settings.custom_prompt, known.custom_prompt),
    temperature: withDefault(settings.temperature, known.temperature),
    max_tokens: withDefault(settings.max_tokens, known.max_tokens),
    retry_count: withDefault(settings.retry_count, known.retry_count),
    is_custom_role: withDefault(settings.is_custom_role, known.is_custom_role),
    output_schema: orElse(settings.output_schema, known.output_schema),
    approval: withDefault(settings.approval, known.approval),
    approval_timeout_seconds: withDefault(
      settings.approval_timeout_seconds,
      known.approval_timeout_seconds,
    ),
    on_approval_timeout: withDefault(settings.on_approval_timeout, known.on_approval_timeout),
  };
}

const CLIENT_AGENT = mapped(
  object<Omit<AgentSpec, 'max_tokens' | 'max_tokens_named'> & { max_tokens: number | null }>({
    ...basicsOf('client'),
    ...withDefaults(CLIENT_SETTINGS),
    max_tokens: orElse(CLIENT_SETTINGS.max_tokens, null),
  }),
  ({ max_tokens, ...agent }): AgentSpec =>
    max_tokens === null
      ? { ...agent, max_tokens: AGENT_DEFAULTS.max_tokens }
      : { ...agent, max_tokens, max_tokens_named: true },
);

/** An agent lacking one of its four fields makes the whole answer unusable (discussion §6.2). */
const MODEL_AGENT = mapped(object<Basics>(basicsOf('model', 1)), (agent): AgentSpec => ({
  ...agent,
  ...AGENT_DEFAULTS,
}));

const STORED_AGENT = mapped(
  object<Omit<AgentSpec, 'max_tokens_named'> & { max_tokens_named: boolean }>({
    ...basicsOf('store'),
    description: withDefault(basicsOf('store').description, ''),
    ...withDefaults(STORED_SETTINGS),
    max_tokens_named: withDefault(flag, false),
  }),
  ({ max_tokens_named, ...agent }): AgentSpec =>
    max_tokens_named ? { ...agent, max_tokens_named } : agent,
);

const AGENT_CHANGES: Field<AgentChanges> = mapped(
  someOf<Omit<AgentSpec, 'name' | 'max_tokens_named'>>({
    role: words('client', 'role'),
    llm_model: words('client', 'llmModel'),
    description: words('client', 'agentDescription'),
    ...CLIENT_SETTINGS,
  }),
  (changes) =>
    changes.max_tokens === undefined ? changes : { ...changes, max_tokens_named: true },
);

function edgeOf(source: DesignSource): Field<EdgeSpec> {
  return object<EdgeSpec>({
    source: words(source, 'edgeEnd'),
    target: words(source, 'edgeEnd'),
    condition: withDefault(orNull(words(source, 'condition')), null),
  });
}

function fieldsOf(
  source: DesignSource,
  agent: Field<AgentSpec>,
  edge: Field<EdgeSpec>,
): FieldsOf<Design> {
  const few = (what: keyof typeof DESIGN_LIMITS) => ({ max: limitFor(source, what) });
  const points = orElse(list(words(source, 'point'), few('points')), []);
  return {
    name: words(source, 'name'),
    description: words(source, 'description'),
    agents: list(agent, few('agents')),
    pros: points,
    cons: points,
    estimated_cost: withDefault(words(source, 'estimatedCost'), 'unknown'),
    complexity: withDefault(words(source, 'complexity'), 'medium'),
    recommended: withDefault(flag, false),
    edges: orElse(orNull(list(edge, few('edges'))), null),
    source_hints: orElse(list(words(source, 'hint'), few('hints')), []),
  };
}

const FROM_CLIENTS = fieldsOf(
  'client',
  ref('AgentInput', CLIENT_AGENT),
  ref('EdgeInput', edgeOf('client')),
);
const FROM_MODELS = fieldsOf('model', MODEL_AGENT, edgeOf('model'));
const FROM_STORE = fieldsOf('store', STORED_AGENT, edgeOf('store'));

const DESIGNS: Readonly<Record<DesignSource, Field<Design>>> = {
  client: object<Design>({ ...FROM_CLIENTS, agents: orElse(FROM_CLIENTS.agents, []) }),
  model: object<Design>({
    ...FROM_MODELS,
    name: withDefault(words('model', 'name', 1), 'Unnamed Design'),
    description: withDefault(FROM_MODELS.description, ''),
    agents: orElse(FROM_MODELS.agents, []),
    source_hints: always([]), // the intent's are carried into it
  }),
  store: object<Design>({
    ...FROM_STORE,
    description: withDefault(FROM_STORE.description, ''),
  }),
};

/** What clients may send, as JSON Schema, by the names that the forms use for each other. */
export const DESIGN_FORMS: Readonly<Record<string, Form>> = {
  DesignInput: DESIGNS.client.form,
  AgentInput: CLIENT_AGENT.form,
  AgentChanges: AGENT_CHANGES.form,
  EdgeInput: edgeOf('client').form,
  ...OUTPUT_SCHEMA_FORMS,
};
