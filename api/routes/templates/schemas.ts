/** Source of fields and limits: contract, http §5. */
import { z } from 'zod';
import { MAX_TEMPLATE_NAME } from '../../../domain/design/templates.js';
import { JsonDocument, asciiJsonBytes } from '../../http/schemas/json-document.js';
import { text, uuid, valueError } from '../../http/schemas/fields.js';

/** Measured with everything beyond ASCII escaped. */
const MAX_DOCUMENT_BYTES = 524_288;
/** The names of the documents: they are kept as they are written. */
export const TEMPLATE_DOCUMENTS = ['graph_data', 'design_data'];
/** Bytes of the body: both documents, with as much space between their tokens as an editor writes. */
export const MAX_TEMPLATE_BYTES = 4 * 1_048_576;
const MAX_DESCRIPTION = 10_000;

/** An opaque object of any content; becomes its JSON text. */
function document(field: string) {
  return z
    .unknown()
    .transform((value, check): string => {
      if (!(value instanceof JsonDocument) || !value.isObject()) {
        check.issues.push({ code: 'invalid_type', expected: 'record', input: value });
        return z.NEVER;
      }
      const json = value.minLength() > MAX_DOCUMENT_BYTES ? null : value.toText();
      if (json === null || asciiJsonBytes(json) > MAX_DOCUMENT_BYTES) {
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
