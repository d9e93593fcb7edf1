import { defineRoute, type Route } from '../../http/route.js';
import type { ApiConfig } from '../../deps.js';
import { administrationSetupSchema, setupSchema, temporalUiUrlOf, viewSetup } from './views.js';

export function createSetupRoutes({ config }: { config: ApiConfig }): readonly Route[] {
  return [
    defineRoute(
      {
        tag: 'operation',
        auth: 'none',
        method: 'GET',
        path: '/setup',
        summary: 'Release and setup, as far as everybody may know them',
        responses: { 200: { description: 'Of this installation', schema: setupSchema } },
      },
      () => ({ status: 200, body: viewSetup(config) }),
    ),
    defineRoute(
      {
        tag: 'administration',
        auth: 'user',
        action: 'admin:read',
        method: 'GET',
        path: '/admin/setup',
        summary: 'What administrators need to know of the setup besides',
        responses: {
          200: { description: 'Addresses, null: not set up', schema: administrationSetupSchema },
        },
      },
      ({ header }) => ({
        status: 200,
        body: { temporal_ui_url: temporalUiUrlOf(config.temporalUiOrigins, header('Host')) },
      }),
    ),
  ];
}
