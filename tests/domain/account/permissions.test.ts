import { LIMITS, ROLES, hasRoom, isRole, mayDo } from '../../../domain/account/permissions.js';

/** Source: contract, security §4. */
const CONTRACT = {
  maxPipelinesPerDay: { free: 3, pro: 100, admin: -1 },
  maxDiscussionsPerDay: { free: 10, pro: -1, admin: -1 },
  maxRequestsPerMinute: { free: 10, pro: 60, admin: -1 },
  wsMaxMessageBytes: { free: 4_096, pro: 65_536, admin: 1_048_576 },
  wsMaxConnections: { free: 2, pro: 10, admin: -1 },
  maxCostPerDayUsd: { free: 1, pro: 50, admin: -1 },
} as const;
type Permission = keyof typeof CONTRACT;

test.each(Object.keys(CONTRACT) as Permission[])('%s is the contract’s for every role', (name) => {
  const ours = Object.fromEntries(ROLES.map((role) => [role, LIMITS[role][name]]));
  expect(ours).toEqual(CONTRACT[name]);
  expect(Object.keys(LIMITS.free)).toHaveLength(Object.keys(CONTRACT).length);
});

test.each([
  [2, 3, true],
  [3, 3, false],
  [4, 3, false],
  [1_000_000, -1, true],
  [0, 0, false], // 0 is not unlimited
  [0, -2, false], // nor is another negative number
  [100, -100, false],
])('%i used of %i leaves room: %p', (used, limit, room) => {
  expect(hasRoom(used, limit)).toBe(room);
});

test('only administrators change roles; every role starts runs; no other role exists', () => {
  expect(ROLES.filter((role) => mayDo(role, 'user:set-role'))).toEqual(['admin']);
  expect(ROLES.filter((role) => mayDo(role, 'pipeline:start'))).toEqual(ROLES);
  expect([...ROLES, 'root', 'Admin', '', null].filter(isRole)).toEqual(ROLES);
});
