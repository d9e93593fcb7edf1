/** The whole story through HTTP and WebSocket only: the same steps, with any vendor behind the calls. */
import { createClient, openChat, type ChatEvent } from '../../client/index.js';
import type { Chat, Person, WireEvent } from './person.js';
import type { Product } from './product.js';
import { until } from './until.js';

export const STORIES = {
  English: {
    vague: 'help me',
    request:
      'Collect reviews of three podcast apps from https://example.com/reviews and write a report comparing them',
    feedback: 'Can you make it cheaper?',
    preference: 'I would rather see a validator in every design',
    approval: 'ok, take option 2',
    clarification: /./,
    presented: /design/i,
  },
  Korean: {
    vague: '도와줘',
    request:
      'https://example.com/reviews 에서 팟캐스트 앱 세 개의 리뷰를 수집해서 비교 리포트를 만들어 줘',
    feedback: '더 저렴하게 만들 수 있을까요?',
    preference: '모든 설계에 검증 단계가 있으면 해요',
    approval: '2번으로 선택할게요',
    clarification: /몇 가지 질문/,
    presented: /설계안/,
  },
} as const;

export type StoryLanguage = keyof typeof STORIES;

/** Where a story takes place; a product with two API processes. */
export interface StoryPlace {
  readonly product: Product;
  readonly person: Person;
}

export interface ToldStory {
  readonly product: Product;
  readonly person: Person;
  readonly chat: Chat;
  readonly conversationId: string;
}

/** Registers the story's tests in the current `describe`. @returns the story as it stands */
export function playStory(
  language: StoryLanguage,
  enter: () => Promise<StoryPlace>,
): () => ToldStory {
  const story = STORIES[language];
  let product: Product;
  let person: Person;
  let chat: Chat;
  let conversationId: string;

  beforeAll(async () => {
    ({ product, person } = await enter());
    conversationId = await person.startConversation();
    chat = await person.chat(conversationId);
  });

  test('an unclear request is answered with questions', async () => {
    const answer = await chat.say(story.vague);
    expect(answer).toMatchObject({ type: 'clarification', state: 'understand' });
    expect(answer['content']).toMatch(story.clarification);
    expect(answer['questions'].length).toBeGreaterThan(0);
  });

  test('a clear request gets three designs, one of them recommended', async () => {
    const answer = await chat.say(story.request);
    expect(answer).toMatchObject({ type: 'designs_presented', state: 'debate', round: 1 });
    expect(answer['content']).toMatch(story.presented);
    expect(answer['designs']).toHaveLength(3);
    expect(answer['designs'].filter((it: WireEvent) => it['recommended'])).toHaveLength(1);
  });

  test('feedback is answered with a critique of each design, scored 1 to 10', async () => {
    const answer = await chat.say(story.feedback);
    expect(answer).toMatchObject({ type: 'critique_complete', state: 'refine', round: 1 });
    expect(answer['critiques']).toHaveLength(3);
    for (const { overall_score: score } of answer['critiques']) {
      expect(score).toBeGreaterThanOrEqual(1);
      expect(score).toBeLessThanOrEqual(10);
    }
  });

  test('the next message brings refined designs with the critiques', async () => {
    const answer = await chat.say(story.preference);
    expect(answer).toMatchObject({ type: 'designs_presented', round: 2 });
    expect(answer['critiques']).toHaveLength(3);
  });

  test('an approval runs the chosen design to its result', async () => {
    const answer = await chat.say(story.approval);
    expect(answer.type).toBe('pipeline_result');
    expect(answer['result']).toMatchObject({ status: 'completed', error: null });
    expect(answer['result'].output).not.toBe('');
    const types = chat.events.map((event) => event.type);
    const run = types.slice(types.lastIndexOf('user_message_received'));
    expect(run.slice(0, 3)).toEqual([
      'user_message_received',
      'plan_generated',
      'pipeline_started',
    ]);
    const agents = answer['result'].agent_results.length;
    expect(run.slice(3)).toEqual([...Array(agents).fill('agent_completed'), 'pipeline_result']);
  });

  test('every event has its place: 1, 2, 3 … without gaps', () => {
    expect(chat.events.map((event) => event['seq'])).toEqual(
      chat.events.map((_event, index) => index + 1),
    );
  });

  test('the run can be read by status, result and history, from any API process', async () => {
    const { pipeline_id: id } = chat.events.at(-1) as WireEvent;
    const other = createClient({ baseUrl: product.apis[1]?.url ?? '', token: person.token });
    const run = { params: { pipeline_id: String(id) } };
    const status = await other.get('/api/v1/pipelines/{pipeline_id}/status', run);
    expect(status).toMatchObject({ status: 200, body: { pipeline_id: id, status: 'completed' } });
    const result = await other.get('/api/v1/pipelines/{pipeline_id}/result', run);
    expect(result.body).toEqual(chat.events.at(-1)?.['result']);
    const history = await other.get('/api/v1/stats/pipeline-history');
    expect(history.body).toMatchObject([{ id, status: 'completed' }]);
  });

  test('a client that reconnects to another process gets what it missed', async () => {
    const got: ChatEvent[] = [];
    const second = openChat({
      baseUrl: product.apis[1]?.url ?? '',
      conversationId,
      token: () => person.token,
      after: 3,
      onEvent: (event) => got.push(event),
    });
    await until('the result', () => got.some(({ type }) => type === 'pipeline_result'));
    expect(got).toEqual(chat.events.slice(3));
    second.close();
  });

  test('the conversation keeps the messages, with whole events in the metadata', async () => {
    const { body } = await person.ask('GET', `/conversations/${conversationId}`);
    const roles = body.messages.map((message: WireEvent) => message['role']);
    expect(roles.filter((role: string) => role === 'user')).toHaveLength(5);
    const kinds = body.messages.map((message: any) => message.metadata_?.type ?? null);
    expect(kinds.filter((kind: string | null) => kind !== null)).toEqual([
      'clarification',
      'designs_presented',
      'critique_complete',
      'designs_presented',
      'plan_generated',
      'pipeline_result',
    ]);
  });

  test('a message after the run begins a fresh discussion', async () => {
    const answer = await chat.say(story.request);
    expect(answer).toMatchObject({ type: 'designs_presented', round: 1 });
  });

  return () => ({ product, person, chat, conversationId });
}
