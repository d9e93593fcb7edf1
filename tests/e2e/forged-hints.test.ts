/** A real API process and a real Redis that an attacker can write to. */
import { randomUUID } from 'node:crypto';
import { Redis } from 'ioredis';
import { appendEvents } from '../../db/events.js';
import { createBus } from '../../events/bus.js';
import { channelOf, USER_GONE_CHANNEL } from '../../events/notifications.js';
import { createMacs } from '../../events/macs.js';
import { silentLogger } from '../../telemetry/logger.js';
import { register } from '../support/person.js';
import { startProduct, type Product } from '../support/product.js';
import { testServers } from '../support/servers.js';
import { until } from '../support/until.js';

let product: Product;
let forger: Redis;
beforeAll(async () => {
  product = await startProduct({ workers: 0 });
  forger = new Redis(testServers().redisUrl);
});
afterAll(async () => {
  forger.disconnect();
  await product.stop();
});

test('a forged result never reaches the socket, the true event does, and no message closes it', async () => {
  const person = await register(product.url);
  const id = await person.startConversation();
  const chat = await person.chat(id);
  const forged = {
    ...{ type: 'pipeline_result', content: 'forged', pipeline_id: randomUUID(), seq: 1 },
    ...{ result: { status: 'completed', output: 'forged' }, conversation_id: id },
    timestamp: '2026-11-30T00:00:00.000+00:00',
  };
  await forger.publish(channelOf(id), JSON.stringify({ events: [forged] }));
  await forger.publish(USER_GONE_CHANNEL, JSON.stringify({ userId: person.userId }));
  const events = await product.db.transaction().execute((tx) =>
    appendEvents(tx, {
      ...{ streamId: id, conversationId: id },
      steps: [
        {
          stepKey: 'a worker’s',
          event: { type: 'security_warning', content: 'the true one', safe: false },
        },
      ],
    }),
  );
  const macs = createMacs([Buffer.from(product.env['ENCRYPTION_KEY'] ?? '', 'base64')]);
  const bus = createBus({ redisUrl: testServers().redisUrl, logger: silentLogger, macs });
  await until('the bus is there', () => bus.isAvailable());
  await bus.publish(id, events);
  expect(await chat.next('security_warning')).toMatchObject({ seq: 1, content: 'the true one' });
  expect(JSON.stringify(chat.events)).not.toContain('forged');
  expect(chat.closed).toBeNull();
  await bus.close();
  await chat.close();
});
