import { VERSION } from '../../domain/version.js';
import type { AppDeps } from '../deps.js';
import { describeApi } from '../http/openapi.js';
import { createPasswords } from '../auth/passwords.js';
import type { Route } from '../http/route.js';
import { createApiKeyRoutes } from './api-keys/routes.js';
import { createAccountDeletionRoutes } from './auth/account-deletion.js';
import { createAuditRoutes } from './audit/routes.js';
import { createAdministrationRoutes } from './administration/routes.js';
import { createAuthRoutes } from './auth/routes.js';
import { createSessionRoutes } from './auth/sessions.js';
import { createCodecRoutes } from './codec/routes.js';
import { createConversationRoutes } from './conversations/routes.js';
import { createDescriptionRoutes, createHealthRoutes } from './health/routes.js';
import { createInterventionRoutes } from './administration/interventions.js';
import { createLlmKeyRoutes } from './llm-keys/routes.js';
import { createModelEndpointRoutes } from './model-endpoints/routes.js';
import { createPipelineRoutes } from './runs/routes.js';
import { createRerunRoutes } from './runs/reruns.js';
import { createRunControlRoutes } from './runs/control.js';
import { createRunEventsRoutes } from './runs/events.js';
import { createSetupRoutes } from './setup/routes.js';
import { createStatsRoutes } from './stats/routes.js';
import { createTemplateRoutes } from './templates/routes.js';

/** Every route of the API, and the description of them all. */
export function createRoutes(deps: AppDeps): readonly Route[] {
  const passwords = createPasswords(deps.config.passwordCost);
  const routes: readonly Route[] = [
    ...createHealthRoutes(deps),
    ...createAuthRoutes({ ...deps, passwords }),
    ...createSessionRoutes({ ...deps, passwords }),
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
    ...createSetupRoutes(deps),
    ...createModelEndpointRoutes(deps),
    ...createStatsRoutes(deps),
    ...createCodecRoutes(deps),
    ...createAdministrationRoutes(deps),
    ...createInterventionRoutes(deps),
    ...createDescriptionRoutes(() => describeApi(routes, VERSION)),
  ];
  return routes;
}
