/** Saved pipelines: private until their owner shares them; a public one can be copied. */
import { randomUUID } from 'node:crypto';
import { z } from 'zod';
import {
  deleteTemplate,
  findTemplate,
  forkTemplate,
  insertTemplate,
  listSharedTemplates,
  listTemplates,
  updateTemplate,
  type TemplateChange,
} from '../../../db/runs/templates.js';
import { DomainError } from '../../../domain/errors.js';
import {
  MAX_TEMPLATE_BYTES,
  TEMPLATE_DOCUMENTS,
  changeTemplateBody,
  createTemplateBody,
  templatePath,
} from './schemas.js';
import { queryInteger } from '../../http/schemas/fields.js';
import type { AppDeps } from '../../deps.js';
import { defineRoute, type Route } from '../../http/route.js';
import { error } from '../../http/error-views.js';
import { templateItemSchema, templateSchema, viewTemplate, viewTemplateItem } from './views.js';

export type TemplateDeps = Pick<AppDeps, 'db'>;

const OWN = { tag: 'templates', auth: 'user' } as const;
const ONE = { ...OWN, path: '/templates/{template_id}', params: templatePath } as const;
/** Beyond it nothing is looked at (db/runs/templates.ts). */
const MAX_SHARED_PAGE = 99;
const NOT_FOUND = error('Template not found');
const sharedTemplatesQuery = z.object({
  page: queryInteger({ min: 0, max: MAX_SHARED_PAGE, initial: 0 }),
});
const FULL = error('Template limit reached: 50, or the bytes of all of them');

export function createTemplateRoutes(deps: TemplateDeps): readonly Route[] {
  return [
    createRoute(deps),
    listRoute(deps),
    sharedRoute(deps), // before the routes of one template: "shared" is no id
    readRoute(deps),
    changeRoute(deps),
    deleteRoute(deps),
    forkRoute(deps),
  ];
}

function createRoute({ db }: TemplateDeps): Route {
  return defineRoute(
    {
      ...OWN,
      method: 'POST',
      path: '/templates',
      summary: 'Save a pipeline as a private template',
      body: createTemplateBody,
      maxBodyBytes: MAX_TEMPLATE_BYTES,
      documents: TEMPLATE_DOCUMENTS,
      yields: { template_id: '/id' },
      responses: { 201: { description: 'Saved', schema: templateSchema }, 400: FULL },
    },
    async ({ user, body }) => {
      const template = await insertTemplate(db, {
        id: randomUUID(),
        userId: user.id,
        name: body.name,
        description: body.description === '' ? null : body.description,
        graphData: body.graph_data,
        designData: body.design_data,
      });
      return { status: 201, ...viewTemplate(template) };
    },
  );
}

function listRoute({ db }: TemplateDeps): Route {
  return defineRoute(
    {
      ...OWN,
      method: 'GET',
      path: '/templates',
      summary: 'Own templates, the latest change first',
      responses: { 200: { description: 'All of them', schema: z.array(templateItemSchema) } },
    },
    async ({ user }) => ({
      status: 200,
      body: (await listTemplates(db, user.id)).map(viewTemplateItem),
    }),
  );
}

function sharedRoute({ db }: TemplateDeps): Route {
  return defineRoute(
    {
      ...OWN,
      method: 'GET',
      path: '/templates/shared',
      summary:
        'Public templates of everybody, the latest change first; many of one author come last',
      query: sharedTemplatesQuery,
      responses: { 200: { description: '50 at most', schema: z.array(templateItemSchema) } },
    },
    async ({ query }) => ({
      status: 200,
      body: (await listSharedTemplates(db, query.page)).map(viewTemplateItem),
    }),
  );
}

function readRoute({ db }: TemplateDeps): Route {
  return defineRoute(
    {
      ...ONE,
      method: 'GET',
      summary: 'An own template with its documents',
      responses: { 200: { description: 'Whole', schema: templateSchema }, 404: NOT_FOUND },
    },
    async ({ user, params }) => {
      const found = await findTemplate(db, { userId: user.id, templateId: params.template_id });
      return { status: 200, ...viewTemplate(found ?? missing()) };
    },
  );
}

function changeRoute({ db }: TemplateDeps): Route {
  return defineRoute(
    {
      ...ONE,
      method: 'PUT',
      summary: 'Change an own template; what is not named stays',
      body: changeTemplateBody,
      maxBodyBytes: MAX_TEMPLATE_BYTES,
      documents: TEMPLATE_DOCUMENTS,
      responses: {
        200: { description: 'Changed', schema: templateSchema },
        400: FULL,
        404: NOT_FOUND,
      },
    },
    async ({ user, params, body }) => {
      const key = { userId: user.id, templateId: params.template_id };
      const changed = await updateTemplate(db, key, changeOf(body));
      return { status: 200, ...viewTemplate(changed ?? missing()) };
    },
  );
}

/** What the body names; absent fields are no change. */
function changeOf(body: z.output<typeof changeTemplateBody>): TemplateChange {
  return {
    ...(body.name === undefined ? {} : { name: body.name }),
    ...(body.description === undefined ? {} : { description: body.description }),
    ...(body.graph_data === undefined ? {} : { graphData: body.graph_data }),
    ...(body.design_data === undefined ? {} : { designData: body.design_data }),
    ...(body.is_public === undefined ? {} : { isPublic: body.is_public }),
  };
}

function deleteRoute({ db }: TemplateDeps): Route {
  return defineRoute(
    {
      ...ONE,
      method: 'DELETE',
      summary: 'Delete an own template',
      responses: { 204: { description: 'Deleted', schema: null }, 404: NOT_FOUND },
    },
    async ({ user, params }) => {
      if (!(await deleteTemplate(db, { userId: user.id, templateId: params.template_id }))) {
        missing();
      }
      return { status: 204, body: null };
    },
  );
}

function forkRoute({ db }: TemplateDeps): Route {
  return defineRoute(
    {
      ...ONE,
      method: 'POST',
      path: '/templates/{template_id}/fork',
      summary: 'Copy a public template to a private one of your own',
      yields: { template_id: '/id' },
      responses: {
        201: { description: 'The copy', schema: templateSchema },
        400: FULL,
        404: error('Template not found, or not public'),
      },
    },
    async ({ user, params }) => {
      const key = { id: randomUUID(), userId: user.id, templateId: params.template_id };
      const copy = await forkTemplate(db, key);
      return { status: 201, ...viewTemplate(copy ?? missing()) };
    },
  );
}

function missing(): never {
  throw new DomainError('not-found', 'Template not found');
}
