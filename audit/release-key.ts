/** Id of the key that signs `releases/list.json`; `npm run release` signs with the private one. */
export const RELEASE_KEY_ID = '89d849dcbb29ab02d4a0ae8ee280f315a96e6020f3371417e01ccc62eed56b35';

/** Keys from before: `npm run release` takes a list over from them, and nothing else counts them. */
export const RETIRED_RELEASE_KEY_IDS: readonly string[] = [
  '5ccc0d06cb0dcf64ce65997af9e37bb8fdde684160a69a76acc70fd06faf6dae',
];
