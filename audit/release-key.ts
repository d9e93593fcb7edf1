/** Id of the key that signs `releases/list.json`; `npm run release` signs with the private one. */
export const RELEASE_KEY_ID = 'f99b1eafc233f4499a095002a5887745f0820ec1986c8a172b588627056ea208';

/** A key from before, while `npm run release` takes the list over from it; empty after that. */
export const RETIRED_RELEASE_KEY_IDS: readonly string[] = [];
