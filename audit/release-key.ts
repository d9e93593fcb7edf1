/** Id of the key that signs `releases/list.json`; `npm run release` signs with the private one. */
export const RELEASE_KEY_ID = 'a02957d2350243cb68c7e3772ffb9c680c1d54e9296cf78773d6e2a87e42abb0';

/** A key from before, while `npm run release` takes the list over from it; empty after that. */
export const RETIRED_RELEASE_KEY_IDS: readonly string[] = [];
