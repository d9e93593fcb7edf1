/** The client's socket against the real gateway, through a network that fails. */
import { openChat, type Chat, type ChatEvent, type ChatOptions } from '../../client/index.js';
import {
  createConversationWithToken,
  startGateway,
  storeEvents,
  type Gateway,
  type DiscussionState,
} from '../support/chat-server.js';
import { startLiveRun } from '../support/live-runs.js';
import { createTestDb, type TestDb } from '../support/servers.js';
import { startTcpProxy, type TcpProxy } from '../support/tcp-proxy.js';
import { until } from '../support/until.js';

let testDb: TestDb;
let gateway: Gateway;
let network: TcpProxy;
const chats: Chat[] = [];
beforeAll(async () => {
  testDb = await createTestDb();
  gateway = await startGateway(testDb.db);
  network = await startTcpProxy({ host: '127.0.0.1', port: gateway.port });
});
afterEach(() => {
  chats.splice(0).forEach((chat) => {
    chat.close();
  });
});
afterAll(async () => {
  await network.close();
  await gateway.close();
  await testDb.drop();
});

function open(discussionState: DiscussionState, options: Partial<ChatOptions> = {}) {
  const events: ChatEvent[] = [];
  const chat = openChat({
    baseUrl: `http://127.0.0.1:${network.port}`,
    conversationId: discussionState.id,
    token: () => discussionState.token,
    onEvent: (event) => events.push(event),
    waitsMs: { first: 10, longest: 50 },
    ...options,
  });
  chats.push(chat);
  return { chat, events, seqs: () => events.map(({ seq }) => seq) };
}

async function say(discussionState: DiscussionState, ...contents: string[]): Promise<void> {
  await gateway.bus.publish(
    discussionState.id,
    await storeEvents(testDb.db, discussionState, contents),
  );
}

const upTo = (count: number): number[] => Array.from({ length: count }, (_, index) => index + 1);

test('events come once and in order, however the connection fails', async () => {
  const discussionState = await createConversationWithToken(testDb.db);
  await say(discussionState, 'before the first connection');
  const { chat, seqs } = open(discussionState);
  await until('the first event', () => seqs().length === 1);
  for (let round = 0; round < 5; round += 1) {
    await network.cut();
    await say(discussionState, `unseen ${round}`, `unseen too ${round}`);
    await network.restore();
    await until('all events', () => chat.lastSeq === 3 + 3 * round);
    await say(discussionState, `live ${round}`);
    await until('the live one', () => chat.lastSeq === 4 + 3 * round);
  }
  expect(seqs()).toEqual(upTo(16));
});

test('a server that ends in between is found again', async () => {
  const discussionState = await createConversationWithToken(testDb.db);
  const states: string[] = [];
  const other = await startGateway(testDb.db);
  const path = await startTcpProxy({ host: '127.0.0.1', port: other.port });
  const { chat } = open(discussionState, {
    baseUrl: `http://127.0.0.1:${path.port}`,
    onState: (state) => states.push(state),
  });
  await until('it is open', () => chat.state === 'open');
  await path.cut();
  await until('it tries', () => chat.state === 'connecting');
  await path.restore();
  await until('it is open again', () => chat.state === 'open');
  chat.close();
  expect(states).toEqual(['open', 'connecting', 'open', 'closed']);
  await path.close();
  await other.close();
});

test('an event that comes again is not emitted again', async () => {
  const discussionState = await createConversationWithToken(testDb.db);
  await say(discussionState, 'one', 'two', 'three');
  const { seqs } = open(discussionState, { after: 1 });
  await until('both events', () => seqs().length === 2);
  expect(seqs()).toEqual([2, 3]);
});

test('a message sent while there is no connection is sent when there is one', async () => {
  const discussionState = await createConversationWithToken(testDb.db);
  await network.cut();
  const { chat } = open(discussionState);
  chat.send('first');
  chat.send('second');
  await network.restore();
  const sent = () =>
    gateway.sent.filter(({ conversationId }) => conversationId === discussionState.id);
  await until('both are sent', () => sent().length === 2);
  chat.send('third');
  await until('the third is sent', () => sent().length === 3);
  expect(sent().map(({ content }) => content)).toEqual(['first', 'second', 'third']);
});

describe('a refused socket (1008)', () => {
  test('ends the chat with the reason', async () => {
    const discussionState = await createConversationWithToken(testDb.db);
    const { chat, events } = open({ ...discussionState, token: 'nonsense' });
    expect(await chat.closed).toBe('Invalid token');
    expect(events).toEqual([]); // no `error` beside the reason
    expect(() => {
      chat.send('anybody?');
    }).toThrow('closed');
  });

  test('comes back with a fresh token, if there is one', async () => {
    const discussionState = await createConversationWithToken(testDb.db);
    await say(discussionState, 'one');
    let token = 'old';
    const { seqs } = open(discussionState, {
      token: () => token,
      refresh: () => {
        token = discussionState.token;
        return Promise.resolve(token);
      },
    });
    await until('the event', () => seqs().length === 1);
  });

  test('is not refreshed for ever', async () => {
    let refreshes = 0;
    const discussionState = await createConversationWithToken(testDb.db);
    const stranger = await createConversationWithToken(testDb.db);
    const { chat } = open(discussionState, {
      token: () => stranger.token,
      refresh: () => Promise.resolve(String((refreshes += 1))),
    });
    expect(await chat.closed).toMatch(/not found or access denied/);
    expect(refreshes).toBe(1);
  });
});

test('the replies of agents come in pieces that fit, however the connection fails', async () => {
  const discussionState = await createConversationWithToken(testDb.db);
  const run = await startLiveRun({
    ...{ db: testDb.db, bus: gateway.bus, redis: gateway.redis },
    ...{ userId: discussionState.userId, conversationId: discussionState.id },
  });
  const { chat, events } = open(discussionState, { isExtended: true });
  const texts = () => chat.agents.map(({ text }) => text);
  const agent = run.agent('a');
  const tell = agent.beginReply();
  tell('one ');
  await until('the first piece', () => texts()[0] === 'one ');
  for (const piece of ['two ', 'three ', 'four ']) {
    await network.cut();
    tell(piece); // as far as the client knows, it has never come
    await network.restore();
    await until(piece, () => texts()[0]?.endsWith(piece));
  }
  agent.beginReply()('another reply');
  await until('another reply', () => texts()[0] === 'another reply');
  await agent.end();
  await run.endAgent('a');
  await run.end();
  await until('the result', () => events.at(-1)?.type === 'pipeline_result');
  expect(chat.agents).toEqual([]);
  expect(events.filter(({ type }) => type === 'agent_started')).toHaveLength(1);
  const pieces = events.flatMap((event) => (event.type === 'agent_delta' ? event : []));
  const [first, second] = [...new Set(pieces.map(({ reply }) => reply))];
  for (const [reply, whole] of [
    [first, 'one two three four '],
    [second, 'another reply'],
  ]) {
    let text = '';
    for (const piece of pieces.filter((one) => one.reply === reply)) {
      expect(piece.offset).toBe(text.length);
      text += piece.text;
    }
    expect(text).toBe(whole);
  }
});

test('a refusal for too many connections (1013) is waited for', async () => {
  const discussionState = await createConversationWithToken(testDb.db, 'free');
  const first = [open(discussionState), open(discussionState)];
  await until('both are open', () => first.every(({ chat }) => chat.state === 'open'));
  const { seqs } = open(discussionState);
  await say(discussionState, 'hello');
  await until('the others have it', () => first.every((one) => one.seqs().length === 1));
  expect(seqs()).toEqual([]);
  first[0]?.chat.close();
  await until('the third has it', () => seqs().length === 1);
});
