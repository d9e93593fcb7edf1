/** Id of the key that signs `releases/list.json`; `npm run release` signs with the private one. */
export const RELEASE_KEY_ID = '5ccc0d06cb0dcf64ce65997af9e37bb8fdde684160a69a76acc70fd06faf6dae';
