import { z } from 'zod';
import { VENDORS } from '../../domain/models.js';
import { text, uuid, valueError } from './fields.js';

const MAX_PROVIDER = 100;

/** Which providers there are is checked behind it, because that refusal is a 400. */
export const storeLlmKeyBody = z
  .object({
    provider: text({ max: MAX_PROVIDER }).meta({ enum: [...VENDORS] }),
    api_key: text({ min: 10, max: 500 })
      .check((check) => {
        if (/\p{Cc}/u.test(check.value)) {
          check.issues.push(valueError(check.value, 'API key must not contain control characters'));
        }
      })
      .meta({ pattern: '^[^\\u0000-\\u001f\\u007f-\\u009f]*$' }),
  })
  .meta({ id: 'StoreLlmKeyBody' });

export const llmKeyPath = z.object({ key_id: uuid });
