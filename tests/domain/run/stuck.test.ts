import { whyStuck, type RunSnapshot } from '../../../domain/run/stuck.js';

const WORKING: RunSnapshot = {
  status: 'running',
  waitingFor: null,
  holdsSlot: true,
  isSlotTaken: true,
  workflow: 'running',
};

test.each<[Partial<RunSnapshot>, ReturnType<typeof whyStuck>]>([
  [{}, null],
  [{ status: 'pending' }, null],
  [{ workflow: 'closed' }, 'no-workflow'],
  [{ workflow: 'missing', waitingFor: 'approval' }, 'no-workflow'],
  [{ waitingFor: 'approval', holdsSlot: false }, 'waiting'],
  [{ waitingFor: 'budget', holdsSlot: false }, 'waiting'],
  [{ waitingFor: 'pause', holdsSlot: false }, 'waiting'],
  [{ waitingFor: 'slot', holdsSlot: false }, null],
  [{ waitingFor: 'slot', holdsSlot: false, isSlotTaken: false }, 'slot-not-handed-on'],
])('%j: %s', (snapshot, why) => {
  expect(whyStuck({ ...WORKING, ...snapshot })).toBe(why);
});
