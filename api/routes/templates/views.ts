import { z } from 'zod';
import type { Template, TemplateItem } from '../../../db/runs/templates.js';

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

/** Written as text, in which the documents are what was stored. */
export const templateSchema: z.ZodType<string | object> = templateItemSchema
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

/** No part of the documents is parsed: their numbers stay, and their size costs nothing. */
export function viewTemplate(row: Template) {
  const item = JSON.stringify(viewTemplateItem(row)).slice(0, -'}'.length);
  return {
    body: `${item},"graph_data":${row.graphData},"design_data":${row.designData}}`,
    headers: { 'Content-Type': 'application/json; charset=utf-8' },
  };
}
