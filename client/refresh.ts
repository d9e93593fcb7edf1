import { createClient } from './client.js';
import { ApiError } from './errors.js';

export interface TokenPair {
  readonly access_token: string;
  readonly refresh_token: string;
}

/**
 * A `refresh` for `createClient`: trades the refresh token for a new pair. A refresh token works
 * once, so a client that keeps one must keep the new one.
 *
 * @param options `onTokens` gets each new pair
 */
export function refreshWith(options: {
  readonly baseUrl: string;
  readonly refreshToken: string;
  readonly onTokens?: (pair: TokenPair) => void;
}): () => Promise<string | null> {
  const client = createClient({ baseUrl: options.baseUrl });
  let refreshToken = options.refreshToken;
  return async () => {
    try {
      const { body } = await client.post('/api/v1/auth/refresh', {
        body: { refresh_token: refreshToken },
      });
      refreshToken = body.refresh_token;
      options.onTokens?.(body);
      return body.access_token;
    } catch (error) {
      if (error instanceof ApiError && error.status === 401) {
        return null; // the session is over
      }
      throw error;
    }
  };
}
