/** Active ones per user. Source: contract, security §3. */
export const MAX_API_KEYS = 20;
