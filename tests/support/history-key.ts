/** Seals the payloads of recorded histories: they must open on every machine, for ever. */
export const HISTORY_KEY = Buffer.alloc(32, 'agentforge recorded histories').toString('base64');
