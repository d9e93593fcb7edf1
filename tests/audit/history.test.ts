/** Recorded histories, as a bundle has them and back. */
import { readFileSync } from 'node:fs';
import { historyFromJSON } from '@temporalio/common/lib/proto-utils.js';
import { Worker } from '@temporalio/worker';
import { readableHistory, replayableHistory } from '../../audit/history.js';
import { createKeyRing } from '../../temporal/key-ring.js';
import { createPayloadCodec } from '../../temporal/payload-codec.js';
import { HISTORY_KEY } from '../support/history-key.js';

const codec = createPayloadCodec(createKeyRing([Buffer.from(HISTORY_KEY, 'base64')]));
const BUNDLE = new URL('../../dist/workflow-bundle.js', import.meta.url).pathname;

function recorded(name: string) {
  const file = new URL(`../histories/0.2.0/${name}.json`, import.meta.url);
  return historyFromJSON(JSON.parse(readFileSync(file, 'utf8')));
}

test.each(['pipeline-parallel', 'pipeline-failed', 'discussion-2'])(
  '%s: its payloads are opened, and it replays without a key',
  async (name) => {
    const events = await readableHistory(recorded(name), codec);
    const text = JSON.stringify(events);
    expect(text).not.toContain('encryption-key-id');
    expect(text).not.toMatch(/"data":"/);
    expect(text).toContain('\\"userId\\":');
    await Worker.runReplayHistory(
      { workflowBundle: { codePath: BUNDLE } },
      replayableHistory(events),
    );
  },
);

test('nothing in it names the machines that it was made on', async () => {
  const events = await readableHistory(recorded('pipeline-parallel'), codec);
  expect(JSON.stringify(events)).not.toMatch(/"(identity|stackTrace)"|"\d+@/);
});

test('what is no text stays base64', async () => {
  const history = recorded('pipeline-failed');
  const index = history.events?.findIndex((it) => it.activityTaskScheduledEventAttributes) ?? -1;
  const scheduled = history.events?.[index]?.activityTaskScheduledEventAttributes;
  const payload = scheduled?.input?.payloads?.[0];
  Object.assign(payload ?? {}, {
    metadata: { encoding: Buffer.from('binary/plain') },
    data: Buffer.from([0xff, 0xfe]),
  });
  const events = await readableHistory(history, codec);
  const replayed = replayableHistory(events) as { events: unknown[] };
  for (const event of [events[index], replayed.events[index]]) {
    expect(event).toMatchObject({
      activityTaskScheduledEventAttributes: { input: { payloads: [{ data: '//4=' }] } },
    });
  }
});
