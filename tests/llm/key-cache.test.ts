import { createKeyCache } from '../../llm/billing/key-cache.js';
import type { PayingKey } from '../../llm/model.js';

const KEY: PayingKey = { provider: 'openai', apiKey: 'sk-1', keyId: '1' };

function cached(load: (userId: string) => Promise<readonly PayingKey[]>) {
  const loads: string[] = [];
  let now = 0;
  const cache = createKeyCache({
    load: (userId) => {
      loads.push(userId);
      return load(userId);
    },
    now: () => now,
  });
  return {
    cache,
    loads,
    pass: (ms: number) => {
      now += ms;
    },
  };
}

test('keys are loaded once within 300 seconds from their loading, however often they are used', async () => {
  const { cache, loads, pass } = cached(() => Promise.resolve([KEY]));
  await Promise.all([cache.find('a'), cache.find('a')]);
  pass(299_999);
  expect(await cache.find('a')).toEqual([KEY]);
  expect(loads).toHaveLength(1);
  pass(1);
  await cache.find('a');
  expect(loads).toHaveLength(2);
});

test('a change of keys is seen at once', async () => {
  const { cache, loads } = cached(() => Promise.resolve([KEY]));
  await cache.find('a');
  cache.invalidate('a');
  await cache.find('a');
  expect(loads).toHaveLength(2);
});

test('a change of keys during their loading is not forgotten', async () => {
  const gate = { open: (): void => undefined };
  const { cache, loads } = cached(
    () =>
      new Promise((resolve) => {
        gate.open = () => {
          resolve([KEY]);
        };
      }),
  );
  const first = cache.find('a');
  cache.invalidate('a');
  gate.open();
  await first;
  const second = cache.find('a');
  gate.open();
  await second;
  expect(loads).toHaveLength(2);
});

test('neither an empty nor a failed lookup is kept', async () => {
  const answers = [() => Promise.resolve([]), () => Promise.reject(new Error('away'))];
  const { cache } = cached(() => (answers.shift() ?? (() => Promise.resolve([KEY])))());
  expect(await cache.find('a')).toEqual([]);
  await expect(cache.find('a')).rejects.toThrow('away');
  expect(await cache.find('a')).toEqual([KEY]);
});

test('the oldest of more than 200 users is dropped', async () => {
  const { cache, loads } = cached(() => Promise.resolve([KEY]));
  for (let user = 0; user <= 200; user += 1) {
    await cache.find(`user ${user}`);
  }
  await cache.find('user 1');
  expect(loads).toHaveLength(201);
  await cache.find('user 0');
  expect(loads).toHaveLength(202);
});
