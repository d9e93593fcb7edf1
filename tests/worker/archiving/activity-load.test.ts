import { ActivityLoad } from '../../../worker/archiving/activity-load.js';

test('a worker is quiet while it has no activity but those that wait for quiet times', () => {
  const load = new ActivityLoad();
  expect(load.quietForMs()).toBeGreaterThan(0);
  const [first, second] = [load.begin('runAgent'), load.begin('beginTurn')];
  first();
  expect(load.quietForMs()).toBe(0);
  second();
  const archiving = load.begin('archiveEnded');
  const quietMs = load.quietForMs();
  expect(quietMs).toBeGreaterThan(0);
  archiving();
  expect(load.quietForMs()).toBeGreaterThan(quietMs);
});
