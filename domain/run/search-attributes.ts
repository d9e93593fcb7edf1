/**
 * What operators can search runs by. Ids, names of states and money only, never text: search
 * attributes are not encrypted.
 */
export const SEARCH_ATTRIBUTES = {
  AgentForgeUserId: 'Keyword',
  AgentForgeConversationId: 'Keyword',
  AgentForgeTier: 'Keyword',
  AgentForgeStatus: 'Keyword',
  AgentForgeCostUsd: 'Double',
} as const;

export type SearchAttributeName = keyof typeof SEARCH_ATTRIBUTES;
