import { z } from 'zod';
import type { Template, TemplateItem } from '../../db/templates.js';
import { isJsonObject, parseExactJson } from '../bodies/exact-json.js';

export const templateItemSchema = z
  .object({
    id: z.guid(),
    name: z.string(),
    description: z.string().nullable(),
    is_public: z.boolean(),
    created_at: z.iso.datetime(),
    updated_at: z.iso.datetime(),
  })
  .meta({ id: 'TemplateListItem' });

const documentSchema = z.record(z.string(), z.unknown());

export const templateSchema = templateItemSchema
  .extend({ graph_data: documentSchema, design_data: documentSchema })
  .meta({ id: 'Template' });

export function viewTemplateItem(row: TemplateItem): z.output<typeof templateItemSchema> {
  return {
    id: row.id,
    name: row.name,
    description: row.description,
    is_public: row.isPublic,
    created_at: row.createdAt.toISOString(),
    updated_at: row.updatedAt.toISOString(),
  };
}

export function viewTemplate(row: Template): z.output<typeof templateSchema> {
  return {
    ...viewTemplateItem(row),
    graph_data: viewDocument(row.graphData),
    design_data: viewDocument(row.designData),
  };
}

function viewDocument(text: string): Record<string, unknown> {
  const document = parseExactJson(text);
  return isJsonObject(document) ? document : {};
}
