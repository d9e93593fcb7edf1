/** Source of fields and limits: contract, http §5. */
import { z } from 'zod';
import { MAX_TEMPLATE_NAME } from '../../domain/templates.js';
import { asciiJsonBytes, isJsonObject } from './exact-json.js';
import { text, uuid, valueError } from './fields.js';

/** Measured with everything beyond ASCII escaped. */
const MAX_DOCUMENT_BYTES = 524_288;
const MAX_DESCRIPTION = 10_000;

/** An opaque object of any content; becomes its JSON text. */
function document(field: string) {
  return z
    .unknown()
    .transform((value, check): string => {
      if (!isJsonObject(value)) {
        check.issues.push({ code: 'invalid_type', expected: 'record', input: value });
        return z.NEVER;
      }
      const json = JSON.stringify(value);
      if (asciiJsonBytes(json) > MAX_DOCUMENT_BYTES) {
        check.issues.push({ ...valueError(value, `${field} exceeds 512KB limit`) });
        return z.NEVER;
      }
      return json;
    })
    .meta({ type: 'object' });
}

const name = text({ min: 1, max: MAX_TEMPLATE_NAME });
const description = text({ max: MAX_DESCRIPTION });
const graphData = document('graph_data');
const designData = document('design_data');

export const createTemplateBody = z
  .object({
    name,
    description: description.default(''),
    graph_data: graphData,
    design_data: designData,
  })
  .meta({ id: 'CreateTemplateBody' });

export const changeTemplateBody = z
  .object({
    name: name.optional(),
    description: description.nullable().optional(),
    graph_data: graphData.optional(),
    design_data: designData.optional(),
    is_public: z.boolean().optional(),
  })
  .meta({ id: 'ChangeTemplateBody' });

export const templatePath = z.object({ template_id: uuid });
