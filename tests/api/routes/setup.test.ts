import type { ApiConfig } from '../../../api/deps.js';
import { temporalUiUrlOf } from '../../../api/routes/setup/views.js';
import { VERSION } from '../../../domain/version.js';
import { startApiServer, type ApiServer } from '../../support/api-server.js';

let api: ApiServer;
beforeAll(async () => {
  api = await startApiServer();
});
afterAll(() => api.close());

test('everybody sees the release and the setup, and no secret', async () => {
  const { status, body } = await api.send('GET', '/setup');
  expect([status, body]).toEqual([
    200,
    {
      ...{ release: VERSION, registration: 'open', shared_models: 'simulated' },
      providers: ['openai', 'anthropic', 'google'],
      languages: ['ko', 'en'],
    },
  ]);
});

test.each<[string, ApiConfig['models']]>([
  ['server-keys', { hasServerKeys: true, simulated: true, endpointAllowed: [] }],
  ['none', { hasServerKeys: false, simulated: false, endpointAllowed: [] }],
])('without a key of their own users have %s', async (shared, models) => {
  const other = await startApiServer({ config: { models, registration: 'closed' } });
  const { body } = await other.send('GET', '/setup');
  await other.close();
  expect(body).toMatchObject({ shared_models: shared, registration: 'closed' });
});

describe('/admin/setup', () => {
  test('is for administrators', async () => {
    const { token } = await api.register();
    expect((await api.send('GET', '/admin/setup', { token })).status).toBe(403);
  });

  test('names the Temporal Web UI as the asking browser reaches it', async () => {
    const { id, token } = await api.register();
    await api.db.updateTable('users').set({ role: 'admin' }).where('id', '=', id).execute();
    const { status, body } = await api.send('GET', '/admin/setup', { token });
    expect([status, body]).toEqual([200, { temporal_ui_url: 'http://127.0.0.1:8233' }]);
  });

  const HERE = ['http://127.0.0.1:8233', 'http://localhost:8233', 'http://[::1]:8233'];
  const NAMED = 'https://temporal.example.com';
  test.each([
    ['localhost:8000', HERE, 'http://localhost:8233'],
    ['[::1]:8000', HERE, 'http://[::1]:8233'],
    ['127.0.0.9:8000', HERE, 'http://127.0.0.1:8233'],
    ['localhost:8000', [...HERE, NAMED], 'http://localhost:8233'],
    ['agents.example.com', [...HERE, NAMED], NAMED],
    ['agents.example.com', HERE, null],
    ['temporal.example.com:8000', [...HERE, NAMED], NAMED],
    ['localhost', [], null],
    ['a b', HERE, null],
  ])('asked as %s with %j it is %s', (host, origins, url) => {
    expect(temporalUiUrlOf(origins, host)).toBe(url);
  });
});
