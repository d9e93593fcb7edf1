/** Schemathesis, an outside judge of the API: does every answer fit what its description says? */
import { installPythonPackage, runPython, type PythonEnd } from './python-package.js';

const VERSION = '4.32.5';
const CONFIG = 'schemathesis.toml';

export interface JudgedApi {
  /** `http://127.0.0.1:<port>` */
  readonly url: string;
  /** An access token. */
  readonly token: string;
  readonly maxSeconds: number;
  /** Further arguments of the command line. */
  readonly more?: readonly string[];
}

/**
 * Runs all its checks on the API, with links followed from answer to request. The first run
 * installs it as Python package into the state directory.
 */
export async function judgeApi({
  url,
  token,
  maxSeconds,
  more = [],
}: JudgedApi): Promise<PythonEnd> {
  const home = await (installed ??= installPythonPackage('schemathesis', VERSION));
  const args = [
    ...['-m', 'schemathesis.cli', '--no-color', '--config-file', CONFIG, 'run'],
    `${url}/openapi.json`,
    ...['--max-time', String(maxSeconds)],
    ...['--header', `Authorization: Bearer ${token}`],
    ...['--request-timeout', '20', '--generation-database', 'none'],
    ...more,
  ];
  return runPython(args, { PYTHONPATH: home });
}

/** Shared by all who ask in this process. */
let installed: Promise<string> | null = null;
