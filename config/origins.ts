/** Which web pages of other origins may call. */
import { z } from 'zod';
import { ConfigError } from './environment.js';

/** A JSON list, a comma-separated list, or one origin. */
export function originsOf(name: string, text: string): readonly string[] {
  const trimmed = text.trim();
  if (!trimmed.startsWith('[')) {
    return trimmed.split(',').map((origin) => origin.trim());
  }
  try {
    return z.array(z.string()).parse(JSON.parse(trimmed));
  } catch (cause) {
    throw new ConfigError(`${name} must be a JSON list, e.g. ["http://localhost:3000"].`, {
      cause,
    });
  }
}

interface TemporalUiEnvironment {
  readonly TEMPORAL_UI_ORIGINS: string;
  readonly TEMPORAL_UI_UPSTREAM?: string | undefined;
  readonly TEMPORAL_UI_PORT: number;
}

/** Names under which this machine's own browsers reach it. */
const LOOPBACK_HOSTS = ['127.0.0.1', 'localhost', '[::1]'];

/** The Web UI that the API itself shows has this machine's names beside those that are set. */
export function temporalUiOf(env: TemporalUiEnvironment) {
  const { TEMPORAL_UI_UPSTREAM: upstream, TEMPORAL_UI_PORT: port } = env;
  const named = temporalUiOriginsOf(env.TEMPORAL_UI_ORIGINS);
  if (upstream === undefined) {
    return { temporalUiOrigins: named, temporalUi: null };
  }
  if (!isOrigin(upstream)) {
    throw new ConfigError(
      `TEMPORAL_UI_UPSTREAM must be an origin, e.g. http://temporal-ui:8080, and not "${upstream}".`,
    );
  }
  const own = LOOPBACK_HOSTS.map((host) => `http://${host}:${port}`);
  return {
    temporalUiOrigins: [...new Set([...own, ...named])],
    temporalUi: { upstream, port },
  };
}

function isOrigin(text: string): boolean {
  return (
    URL.canParse(text) &&
    new URL(text).origin === text &&
    ['http:', 'https:'].includes(new URL(text).protocol)
  );
}

/** Exact origins only: what they may ask for is every tenant's data. */
function temporalUiOriginsOf(text: string): readonly string[] {
  const origins = originsOf('TEMPORAL_UI_ORIGINS', text).filter((origin) => origin !== '');
  const wrong = origins.find((origin) => !isOrigin(origin));
  if (wrong !== undefined) {
    throw new ConfigError(
      `TEMPORAL_UI_ORIGINS must name origins, e.g. http://127.0.0.1:8233, and not "${wrong}".`,
    );
  }
  return origins;
}
