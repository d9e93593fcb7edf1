/** The typed HTTP client: paths, bodies and answers come from the API's own description. */
import { ApiError, readProblem } from './errors.js';
import type { ClientEvent } from '../domain/events.js';
import type { AnswerOf, Arguments, CallOptions, InputOf, Method, PathOf } from './operations.js';
import { readRunEvents, type RunEventsOptions } from './run-events.js';

export interface ClientOptions {
  /** e.g. `http://127.0.0.1:8000` */
  readonly baseUrl: string;
  /** An access token; or an API key, which decides alone where both are given. */
  readonly token?: string;
  readonly apiKey?: string;
  /**
   * Gets a new access token after a 401, or null if there is none; see `refreshWith`. Calls that
   * fail at the same time share one.
   */
  readonly refresh?: () => Promise<string | null>;
  /** For tests and unusual networks. */
  readonly fetch?: typeof fetch;
}

type Call<M extends Method> = <P extends PathOf<M>>(
  path: P,
  ...input: Arguments<InputOf<M, P>>
) => Promise<AnswerOf<M, P>>;

/** Every call rejects with `ApiError` unless the API answers with success. */
export interface Client {
  readonly get: Call<'get'>;
  readonly post: Call<'post'>;
  readonly put: Call<'put'>;
  readonly delete: Call<'delete'>;
  /**
   * A run's events as they come, to its result; a lost connection is made up for.
   *
   * @throws ApiError, while it is iterated, when the API refuses for good
   */
  events(pipelineId: string, options?: RunEventsOptions): AsyncIterable<ClientEvent>;
  /** The access token in use, for opening a chat; empty without one. */
  token(): string;
  /** Gets a new access token now. @returns null if there is none */
  refresh(): Promise<string | null>;
}

/** A call whose types have been checked by its caller. */
interface LooseInput extends CallOptions {
  readonly params?: object;
  readonly query?: object;
  readonly body?: unknown;
}

interface Answer {
  readonly status: number;
  readonly body: unknown;
  readonly headers: Headers;
}

export function createClient(options: ClientOptions): Client {
  const session = createSession(options);
  return {
    ...callsOf(options, session),
    events: (pipelineId, wish = {}) =>
      readRunEvents(
        (after) => askForEvents({ options, session }, pipelineId, { ...wish, after }),
        wish,
      ),
    token: session.token,
    refresh: session.refresh,
  };
}

function callsOf(
  options: ClientOptions,
  session: Session,
): Pick<Client, 'get' | 'post' | 'put' | 'delete'>;
function callsOf(options: ClientOptions, session: Session): unknown {
  const call =
    (method: Method) =>
    (path: string, input: LooseInput = {}) =>
      send({ options, session, method, path, input });
  return { get: call('get'), post: call('post'), put: call('put'), delete: call('delete') };
}

interface Session {
  token(): string;
  /** Shared by all who ask while one is under way. */
  refresh(): Promise<string | null>;
}

function createSession(options: ClientOptions): Session {
  let token = options.token ?? '';
  let pending: Promise<string | null> | null = null;
  const refresh = async (): Promise<string | null> => {
    try {
      const fresh = (await options.refresh?.()) ?? null;
      token = fresh ?? token;
      return fresh;
    } finally {
      pending = null;
    }
  };
  return {
    token: () => token,
    refresh: () => (pending ??= refresh()),
  };
}

interface RunOptions {
  readonly options: ClientOptions;
  readonly session: Session;
  readonly method: Method;
  readonly path: string;
  readonly input: LooseInput;
}

async function send(runOptions: RunOptions): Promise<Answer> {
  return successOf(await answerOf(await askSignedIn(runOptions)));
}

async function askForEvents(
  who: Pick<RunOptions, 'options' | 'session'>,
  pipelineId: string,
  { after, isExtended = false, signal }: RunEventsOptions,
): Promise<Response> {
  const response = await askSignedIn({
    ...who,
    method: 'get',
    path: '/api/v1/pipelines/{pipeline_id}/events',
    input: {
      params: { pipeline_id: pipelineId },
      // not as header: that needs no leave of a page's origin
      query: { after, events: isExtended ? 'extended' : null },
      ...(signal === undefined ? {} : { signal }),
    },
  });
  if (!response.ok) {
    successOf(await answerOf(response));
  }
  return response;
}

/** One more try after a 401, if there is a new token by then. */
async function askSignedIn(runOptions: RunOptions): Promise<Response> {
  const { session, options } = runOptions;
  const used = session.token();
  const first = await ask(runOptions);
  const mayRefresh =
    first.status === 401 && options.refresh !== undefined && !isSigningIn(runOptions.path);
  if (!mayRefresh) {
    return first;
  }
  const isRefreshed = session.token() !== used || (await session.refresh()) !== null;
  if (!isRefreshed) {
    return first;
  }
  await first.body?.cancel();
  return ask(runOptions);
}

const SIGN_IN_PATHS = ['login', 'register', 'refresh']
  .flatMap((verb) => [verb, `session/${verb}`])
  .concat('session')
  .map((path) => `/api/v1/auth/${path}`);

/** There a 401 means the wrong password, not an old token. */
function isSigningIn(path: string): boolean {
  return SIGN_IN_PATHS.includes(path);
}

async function ask({ options, session, method, path, input }: RunOptions): Promise<Response> {
  const { baseUrl, apiKey, fetch: fetchIt = fetch } = options;
  const token = session.token();
  return fetchIt(`${baseUrl}${addressOf(path, input)}`, {
    method: method.toUpperCase(),
    headers: {
      ...(apiKey === undefined ? {} : { 'X-API-Key': apiKey }),
      ...(token === '' ? {} : { Authorization: `Bearer ${token}` }),
      ...(input.body === undefined ? {} : { 'Content-Type': 'application/json' }),
      ...input.headers,
    },
    ...(input.body === undefined ? {} : { body: JSON.stringify(input.body) }),
    ...(input.signal === undefined ? {} : { signal: input.signal }),
  });
}

async function answerOf(response: Response): Promise<Answer> {
  return { status: response.status, body: await readBody(response), headers: response.headers };
}

function addressOf(path: string, { params = {}, query = {} }: LooseInput): string {
  const values = new Map(Object.entries(params));
  const filled = path.replace(/\{(\w+)\}/g, (_, name: string) =>
    encodeURIComponent(String(values.get(name))),
  );
  const search = new URLSearchParams();
  for (const [name, value] of Object.entries(query)) {
    if (value != null) {
      search.set(name, String(value));
    }
  }
  return search.size === 0 ? filled : `${filled}?${search.toString()}`;
}

/** JSON as it is; anything else (the metrics page) as text; null without a body. */
async function readBody(response: Response): Promise<unknown> {
  const text = await response.text();
  if (text === '') {
    return null;
  }
  const isJson = response.headers.get('Content-Type')?.includes('json') ?? false;
  return isJson ? JSON.parse(text) : text;
}

function successOf(answer: Answer): Answer {
  if (answer.status >= 200 && answer.status < 300) {
    return answer;
  }
  throw new ApiError(readProblem(answer));
}
