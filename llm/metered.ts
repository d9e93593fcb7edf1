export type { CompleteOptions, Models } from './routing/complete.js';
