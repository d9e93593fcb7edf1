import { z } from 'zod';
import { VENDORS } from '../../../domain/agents/models.js';
import { lengthOf } from '../../../domain/text/problems.js';
import { text, uuid, valueError } from '../../http/schemas/fields.js';

const MAX_PROVIDER = 100;
const MIN_KEY = 10;
const MAX_KEY = 500;

/** What a copied key brings along: line ends, spaces of all kinds, characters of no width. */
const AROUND =
  /[\t-\r \u00a0\u00ad\u1680\u180e\u2000-\u200f\u2028\u2029\u202f\u205f-\u2064\u3000\ufeff]/u;
/** The same, to be named in a class of characters. */
const SPACES = AROUND.source.slice(1, -1);
const CONTROLS = String.raw`\u0000-\u001f\u007f-\u009f`;
/** At least MIN_KEY characters between the spaces, as a JSON Schema says it. */
const PATTERN = `^[${SPACES}]*[^${SPACES}${CONTROLS}][^${CONTROLS}]{${MIN_KEY - 2},}[^${SPACES}${CONTROLS}][${SPACES}]*$`;

function withoutSpaceAround(key: string): string {
  let start = 0;
  let end = key.length;
  while (start < end && AROUND.test(key.charAt(start))) {
    start += 1;
  }
  while (end > start && AROUND.test(key.charAt(end - 1))) {
    end -= 1;
  }
  return key.slice(start, end);
}

/** Which providers there are is checked behind it, because that refusal is a 400. */
export const storeLlmKeyBody = z
  .object({
    provider: text({ max: MAX_PROVIDER }).meta({ enum: [...VENDORS] }),
    api_key: text({ max: MAX_KEY })
      .overwrite(withoutSpaceAround)
      .check((check) => {
        if (lengthOf(check.value) < MIN_KEY) {
          const issue = { origin: 'string', inclusive: true, input: check.value } as const;
          check.issues.push({ ...issue, code: 'too_small', minimum: MIN_KEY });
        }
        if (/\p{Cc}/u.test(check.value)) {
          check.issues.push(valueError(check.value, 'API key must not contain control characters'));
        }
      })
      .meta({ minLength: MIN_KEY, pattern: PATTERN }),
  })
  .meta({ id: 'StoreLlmKeyBody' });

export const llmKeyPath = z.object({ key_id: uuid });
