/** Id of the key that signs `releases/list.json`; `npm run release` signs with the private one. */
export const RELEASE_KEY_ID = '89d849dcbb29ab02d4a0ae8ee280f315a96e6020f3371417e01ccc62eed56b35';

/** A key from before, while `npm run release` takes the list over from it; empty after that. */
export const RETIRED_RELEASE_KEY_IDS: readonly string[] = [];
