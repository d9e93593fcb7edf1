import { z } from 'zod';
import { ROLES } from '../../../domain/account/permissions.js';
import { lengthOf } from '../../../domain/text/problems.js';
import { MAX_PASSWORD_BYTES } from '../../auth/passwords.js';
import { readEmail } from './email-schema.js';
import { text, uuid, valueError } from '../../http/schemas/fields.js';

const email = z
  .string()
  .transform((value, check) => {
    const read = readEmail(value);
    if (read.kind === 'valid') {
      return read.email;
    }
    const message = `value is not a valid email address: ${read.reason}`;
    check.issues.push({ code: 'custom', message, input: value });
    return z.NEVER;
  })
  .meta({ format: 'email' });

const MIN_PASSWORD = 8;

/** Source: contract, security §2; only the first violation is reported. */
const newPassword = z
  .string()
  .check((check) => {
    const problem = passwordProblem(check.value);
    if (problem !== null) {
      check.issues.push(valueError(check.value, problem));
    }
  })
  .meta({
    minLength: MIN_PASSWORD,
    maxLength: MAX_PASSWORD_BYTES,
    format: 'password',
    pattern: '^[^\\u0000]*$',
    allOf: [{ pattern: '[A-Z]' }, { pattern: '[0-9]' }],
  });

function passwordProblem(password: string): string | null {
  if (lengthOf(password) < MIN_PASSWORD) {
    return `Password must be at least ${MIN_PASSWORD} characters`;
  }
  if (!/[A-Z]/.test(password)) {
    return 'Password must contain at least one uppercase letter';
  }
  if (!/[0-9]/.test(password)) {
    return 'Password must contain at least one digit';
  }
  if (Buffer.byteLength(password) > MAX_PASSWORD_BYTES) {
    return `Password must be at most ${MAX_PASSWORD_BYTES} bytes`;
  }
  return password.includes('\0') ? 'Password must not contain NUL characters' : null;
}

const displayName = text({ min: 2, max: 100 });

export const registerBody = z
  .object({ email, password: newPassword, display_name: displayName })
  .meta({ id: 'RegisterBody' });

export const loginBody = z
  .object({ email, password: z.string().meta({ format: 'password' }) })
  .meta({ id: 'LoginBody' });

export const refreshBody = z.object({ refresh_token: z.string() }).meta({ id: 'RefreshBody' });

const fixed = z.never({ error: 'Extra inputs are not permitted' }).optional();

/** Source: contract, decision 2: what else identifies or ranks a user is not changed here. */
export const changeProfileBody = z
  .object({
    display_name: displayName.optional(),
    current_password: z.string().meta({ format: 'password' }).optional(),
    new_password: newPassword.optional(),
    id: fixed,
    email: fixed,
    role: fixed,
  })
  .check((check) => {
    if (check.value.new_password !== undefined && check.value.current_password === undefined) {
      const path = ['current_password'];
      check.issues.push({ code: 'custom', path, message: 'Field required', input: undefined });
    }
  })
  .meta({ id: 'ChangeProfileBody' });

/** As for a new password: a stolen token alone must not be enough. */
export const deleteAccountBody = z
  .object({ current_password: z.string().meta({ format: 'password' }) })
  .meta({ id: 'DeleteAccountBody' });

export const setRoleBody = z.object({ role: z.enum(ROLES) }).meta({ id: 'SetRoleBody' });

/** The column has six digits before the point. */
const MAX_BUDGET_USD = 999_999;

/** US dollars per UTC day; null: the role's limit. */
export const setBudgetBody = z
  .object({ daily_budget_usd: z.number().min(0).max(MAX_BUDGET_USD).nullable() })
  .meta({ id: 'SetBudgetBody' });

export const userPath = z.object({ user_id: uuid });
