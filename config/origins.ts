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

/** Exact origins only: what they may ask for is every tenant's data. */
export function temporalUiOriginsOf(text: string): readonly string[] {
  const origins = originsOf('TEMPORAL_UI_ORIGINS', text).filter((origin) => origin !== '');
  const wrong = origins.find(
    (origin) => !URL.canParse(origin) || new URL(origin).origin !== origin,
  );
  if (wrong !== undefined) {
    throw new ConfigError(
      `TEMPORAL_UI_ORIGINS must name origins, e.g. http://127.0.0.1:8233, and not "${wrong}".`,
    );
  }
  return origins;
}
