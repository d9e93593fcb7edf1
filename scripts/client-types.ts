/** The client's types, made from the API's own description. */
import openapiTS, { astToString } from 'openapi-typescript';
import { format, resolveConfig } from 'prettier';
import { readApiDocument } from './api-document.js';

const HEADER = `/**
 * What the API takes and answers, generated from its OpenAPI description.
 * Do not edit: \`npm run client:generate\` writes it anew.
 */
`;

/** @returns the text of `client/schema.d.ts` as it has to be */
export async function makeClientTypes(): Promise<string> {
  const nodes = await openapiTS(JSON.stringify(await readApiDocument()));
  const settings = await resolveConfig(import.meta.filename);
  return format(`${HEADER}${astToString(nodes)}`, { ...settings, parser: 'typescript' });
}
