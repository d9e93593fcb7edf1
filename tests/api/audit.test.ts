/** Who may read which archive, byte for byte, and what of that is written down. */
import { randomBytes, randomUUID } from 'node:crypto';
import { createArchiveCipher } from '../../audit/archive-cipher.js';
import { makeBundle } from '../../audit/bundle.js';
import { checkIntegrity } from '../../audit/integrity.js';
import { createSigner, publicKeyOf } from '../../audit/signing.js';
import { tombstoneOf } from '../../audit/tombstone.js';
import { closeRun } from '../../db/runs/runs.js';
import { saveDiscussionArchive } from '../../db/audit/discussion-archives.js';
import { saveArchive } from '../../db/audit/run-archives.js';
import { setUserRole } from '../../db/users/users.js';
import { startApiServer, type ApiServer, type Person } from '../support/api-server.js';
import { admittedRun, createTestConversation } from '../support/runs.js';

const cipher = createArchiveCipher([randomBytes(32)]);
const signer = createSigner(randomBytes(32));
const former = publicKeyOf(randomBytes(32));
/** Names that JavaScript would put into another order than the file has. */
const { text, head } = makeBundle([{ kind: 'design', data: { 9: 'a', 10: 'b', x: 'é' } }], signer);

let api: ApiServer;
let owner: Person;
let requests = 0;
let admin: Person;
beforeAll(async () => {
  api = await startApiServer({ deps: { audit: { box: cipher, keys: [signer, former] } } });
  api.workflows.requestArchives = () => {
    requests += 1;
    return Promise.resolve();
  };
  owner = await api.register();
  admin = await api.register();
  await setUserRole(api.db, { userId: admin.id, role: 'admin' });
});
afterAll(() => api.close());

async function aRun({ isEnded, isArchived }: { isEnded: boolean; isArchived: boolean }) {
  const pipelineId = await admittedRun(api.db, { userId: owner.id }, new Date());
  const end = { pipelineId, outcome: { kind: 'cancelled' }, now: new Date() } as const;
  await (isEnded ? api.db.transaction().execute((tx) => closeRun(tx, end)) : undefined);
  const sealed = { ...(await cipher.seal(text, pipelineId)), pipelineId, head };
  await (isArchived ? saveArchive(api.db, { ...sealed, archivedAt: new Date() }) : undefined);
  return pipelineId;
}

const read = (pipelineId: string, { token }: Person) =>
  api.request(`/api/v1/pipelines/${pipelineId}/audit`, {
    headers: { authorization: `Bearer ${token}` },
  });

const logged = (pipelineId: string) =>
  api.db
    .selectFrom('adminActions')
    .select(['actorId', 'action', 'details'])
    .where('subject', '=', `pipeline:${pipelineId}`)
    .execute();

test('its owner gets the file as it was signed, and no other user does', async () => {
  const pipelineId = await aRun({ isEnded: true, isArchived: true });
  const response = await read(pipelineId, owner);
  expect(response.status).toBe(200);
  expect(response.headers.get('content-type')).toBe('application/json');
  expect(response.headers.get('content-disposition')).toContain(`audit-${pipelineId}.json`);
  const file = Buffer.from(await response.arrayBuffer());
  expect(file.toString('utf8')).toBe(text);
  expect(checkIntegrity(file)).toMatchObject({ kind: 'intact', head });
  const asked = await read(pipelineId.toUpperCase(), owner);
  expect(await asked.text()).toBe(text);
  expect(await logged(pipelineId)).toEqual([]);
});

test('an administrator gets it, too, which is written down each time', async () => {
  const pipelineId = await aRun({ isEnded: true, isArchived: true });
  for (const status of [200, 200]) {
    expect((await read(pipelineId, admin)).status).toBe(status);
  }
  const access = { actorId: admin.id, action: 'audit:read-any', details: { head } };
  expect(await logged(pipelineId)).toEqual([access, access]);
});

test('to anybody else it is not there, as if it had never been', async () => {
  const pipelineId = await aRun({ isEnded: true, isArchived: true });
  const stranger = await api.register();
  const [foreign, missing] = [await read(pipelineId, stranger), await read(randomUUID(), stranger)];
  expect([foreign.status, await foreign.json()]).toEqual([404, await missing.json()]);
  expect((await read(randomUUID(), admin)).status).toBe(404);
  expect((await read('42', admin)).status).toBe(404);
  expect(await logged(pipelineId)).toEqual([]);
});

test('before there is one, it is ordered, and the answer says whether it is worth waiting', async () => {
  const ended = await read(await aRun({ isEnded: true, isArchived: false }), owner);
  expect([ended.status, ended.headers.get('retry-after')]).toEqual([409, '2']);
  expect(await ended.json()).toEqual({
    detail: 'The run is being archived, try again in a moment',
  });
  expect(requests).toBe(1);
  const open = await read(await aRun({ isEnded: false, isArchived: false }), owner);
  expect([open.status, open.headers.get('retry-after')]).toEqual([409, null]);
  expect(await open.json()).toEqual({ detail: 'The run has not ended yet' });
  expect(requests).toBe(1);
});

test('keys are published to everybody, those of before too', async () => {
  const response = await api.request('/api/v1/audit/keys');
  const ofKey = { algorithm: 'Ed25519' };
  expect(await response.json()).toEqual({
    keys: [
      { ...ofKey, key_id: signer.keyId, public_key: signer.publicKey, signs: true },
      { ...ofKey, key_id: former.keyId, public_key: former.publicKey, signs: false },
    ],
  });
});

test('a caller who holds the file of an archive that is gone can learn why', async () => {
  const document = tombstoneOf(head, '2026-11-24', signer);
  await api.db
    .insertInto('auditTombstones')
    .values({ head, document: JSON.stringify(document) })
    .execute();
  const { token } = owner;
  const found = await api.send('GET', `/audit/tombstones/${head}`, { token });
  expect([found.status, found.body]).toEqual([200, document]);
  expect((await api.send('GET', `/audit/tombstones/${'0'.repeat(64)}`, { token })).status).toBe(
    404,
  );
  expect((await api.send('GET', '/audit/tombstones/42', { token })).status).toBe(422);
});

describe('a discussion', () => {
  async function archivedTalk() {
    const conversationId = await createTestConversation(api.db, owner.id);
    const runIds = [randomUUID(), randomUUID()];
    for (const [at, runId] of runIds.entries()) {
      const sealed = { ...(await cipher.seal(text, runId)), head, archivedAt: new Date(at) };
      await saveDiscussionArchive(api.db, { ...sealed, conversationId, runId });
    }
    return { conversationId, runIds };
  }

  const ask = (path: string, { token }: Person) =>
    api.request(`/api/v1/conversations/${path}`, { headers: { authorization: `Bearer ${token}` } });

  const loggedOf = async (conversationId: string) => {
    const rows = await api.db
      .selectFrom('adminActions')
      .select(['actorId', 'details'])
      .where('subject', '=', `conversation:${conversationId}`)
      .orderBy('id')
      .execute();
    return rows;
  };

  test('has an archive for each of its runs, which its owner lists and reads', async () => {
    const { conversationId, runIds } = await archivedTalk();
    const listed = await ask(`${conversationId}/audit`, owner);
    expect(await listed.json()).toMatchObject(runIds.map((run_id) => ({ run_id, head })));
    const file = await ask(`${conversationId}/audit/${runIds[1] ?? ''}`, owner);
    expect([file.status, await file.text()]).toEqual([200, text]);
    expect((await ask(`${conversationId}/audit/${randomUUID()}`, owner)).status).toBe(404);
    expect((await ask(`${conversationId}/audit/42`, owner)).status).toBe(404);
    expect(await loggedOf(conversationId)).toEqual([]);
  });

  test('is open to administrators, which is logged, and to no other user', async () => {
    const { conversationId, runIds } = await archivedTalk();
    const path = `${conversationId}/audit/${runIds[0] ?? ''}`;
    expect((await ask(`${conversationId}/audit`, admin)).status).toBe(200);
    expect((await ask(path, admin)).status).toBe(200);
    expect(await loggedOf(conversationId)).toEqual([
      { actorId: admin.id, details: { listed: 2 } },
      { actorId: admin.id, details: { head } },
    ]);
    const stranger = await api.register();
    expect((await ask(`${conversationId}/audit`, stranger)).status).toBe(404);
    expect((await ask(path, stranger)).status).toBe(404);
  });
});
