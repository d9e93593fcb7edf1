/** What every program that is started here may know of the environment: nothing of ours. */
const COMMON = /^(?:PATH|TZ|LANG|LANGUAGE|LC_\w+|TMPDIR)$/;

/** For servers of others: PostgreSQL, Redis, Temporal. They get none of our settings. */
export function serverEnvironment(env: NodeJS.ProcessEnv = process.env): NodeJS.ProcessEnv {
  return pickVariables(env, COMMON);
}

const FOR_PIP =
  /^(?:HOME|USER|SSL_CERT_\w+|REQUESTS_CA_BUNDLE|CURL_CA_BUNDLE|PIP_\w+|PYTHON\w*|PYENV_\w+|VIRTUAL_ENV|XDG_\w+|(?:HTTPS?|ALL|NO)_PROXY|(?:https?|all|no)_proxy)$/;

/** For pip: where its index is, and the way there. */
export function pipEnvironment(env: NodeJS.ProcessEnv = process.env): NodeJS.ProcessEnv {
  return { ...serverEnvironment(env), ...pickVariables(env, FOR_PIP) };
}

const FOR_GO = /^(?:HOME|GO\w*|SSL_CERT_\w+|(?:HTTPS?|NO)_PROXY|(?:https?|no)_proxy)$/;

/** For Go, which builds Temporal's real server for tests. */
export function goEnvironment(env: NodeJS.ProcessEnv = process.env): NodeJS.ProcessEnv {
  return { ...serverEnvironment(env), ...pickVariables(env, FOR_GO) };
}

export function pickVariables(env: NodeJS.ProcessEnv, names: RegExp): NodeJS.ProcessEnv {
  return Object.fromEntries(Object.entries(env).filter(([name]) => names.test(name)));
}
