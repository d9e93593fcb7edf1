/** What a page's head needs to know of this installation. It names no secret, no key and no user. */
import { z } from 'zod';
import { VENDORS } from '../../../domain/agents/models.js';
import { isLoopbackHost } from '../../../domain/security/loopback-hosts.js';
import { LANGUAGES } from '../../../domain/text/languages.js';
import { VERSION } from '../../../domain/version.js';
import type { ApiConfig } from '../../deps.js';

const SHARED_MODELS = ['server-keys', 'simulated', 'none'] as const;

export const setupSchema = z
  .object({
    release: z.string(),
    registration: z.enum(['open', 'approval', 'closed']),
    shared_models: z.enum(SHARED_MODELS),
    providers: z.array(z.enum(VENDORS)),
    languages: z.array(z.enum(LANGUAGES)),
  })
  .meta({
    id: 'Setup',
    description: '`shared_models`: what answers users who have no vendor key of their own',
  });

export function viewSetup({ registration, models }: ApiConfig): z.output<typeof setupSchema> {
  return {
    release: VERSION,
    registration,
    shared_models: sharedModelsOf(models),
    providers: [...VENDORS],
    languages: [...LANGUAGES],
  };
}

/** Source of the order: contract, decision 9. */
function sharedModelsOf(models: ApiConfig['models']): (typeof SHARED_MODELS)[number] {
  if (models.hasServerKeys) {
    return 'server-keys';
  }
  return models.simulated ? 'simulated' : 'none';
}

export const administrationSetupSchema = z
  .object({ temporal_ui_url: z.string().nullable() })
  .meta({ id: 'AdministrationSetup' });

/** @param host of the request: a browser on this machine is given this machine's name for itself */
export function temporalUiUrlOf(origins: readonly string[], host: string): string | null {
  const name = nameOf(`http://${host}`);
  const isHere = (origin: string): boolean => nameOf(origin) === name;
  const isElsewhere = (origin: string): boolean => !isLoopbackHost(new URL(origin).host);
  const found = origins.find(isHere) ?? origins.find(isElsewhere);
  return found ?? (isLoopbackHost(host) ? (origins[0] ?? null) : null);
}

function nameOf(address: string): string | null {
  return URL.canParse(address) ? new URL(address).hostname : null;
}
