/**
 * How much of a text from outside the rules read, in UTF-16 units. A text is cut where it comes in,
 * so that no rule's cost depends on who has sent how much. What guards a model (`findInjection`,
 * `escapeTags`) reads all of it.
 */

/** Of a user's messages together: what a model is shown of them, too; about 8,000 tokens of English. */
export const READ_BY_RULES = 32_000;
