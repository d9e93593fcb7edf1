import { VERSION } from '../../domain/version.js';
import type { AppDeps } from '../deps.js';
import { describeApi } from '../openapi.js';
import { createPasswords } from '../passwords.js';
import type { Route } from '../route.js';
import { createApiKeyRoutes } from './api-keys.js';
import { createAccountDeletionRoutes } from './account-deletion.js';
import { createAuditRoutes } from './audit.js';
import { createAdministrationRoutes } from './administration.js';
import { createAuthRoutes } from './auth.js';
import { createCodecRoutes } from './codec.js';
import { createConversationRoutes } from './conversations.js';
import { createDescriptionRoutes, createHealthRoutes } from './health.js';
import { createInterventionRoutes } from './interventions.js';
import { createLlmKeyRoutes } from './llm-keys.js';
import { createPipelineRoutes } from './pipelines.js';
import { createRerunRoutes } from './reruns.js';
import { createRunControlRoutes } from './run-control.js';
import { createRunEventsRoutes } from './run-events.js';
import { createStatsRoutes } from './stats.js';
import { createTemplateRoutes } from './templates.js';

/** Every route of the API, and the description of them all. */
export function createRoutes(deps: AppDeps): readonly Route[] {
  const passwords = createPasswords(deps.config.passwordCost);
  const routes: readonly Route[] = [
    ...createHealthRoutes(deps),
    ...createAuthRoutes({ ...deps, passwords }),
    ...createAccountDeletionRoutes({ ...deps, passwords }),
    ...createConversationRoutes(deps),
    ...createTemplateRoutes(deps),
    ...createPipelineRoutes(deps),
    ...createRerunRoutes(deps),
    ...createRunControlRoutes(deps),
    ...createRunEventsRoutes(deps),
    ...createAuditRoutes(deps),
    ...createApiKeyRoutes(deps),
    ...createLlmKeyRoutes(deps),
    ...createStatsRoutes(deps),
    ...createCodecRoutes(deps),
    ...createAdministrationRoutes(deps),
    ...createInterventionRoutes(deps),
    ...createDescriptionRoutes(() => describeApi(routes, VERSION)),
  ];
  return routes;
}
