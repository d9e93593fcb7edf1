/** The product's own client: typed HTTP calls, and a chat socket that resumes. */
export { createClient, type Client, type ClientOptions } from './client.js';
export type { AgentAtWork } from './agents.js';
export { openChat, type Chat, type ChatEvent, type ChatOptions, type ChatState } from './chat.js';
export { ApiError, type ApiProblem } from './errors.js';
export type { RunEventsOptions } from './run-events.js';
export { refreshWith, type TokenPair } from './refresh.js';
export type { components } from './schema.js';
