// What starts the built product takes longest: it begins early, or one worker would end long before
// the other. Between such files come the quick ones, which compute while those wait.
import { relative, sep } from 'node:path';
import TestSequencer from '@jest/test-sequencer';

const SLOW_ROOMS = ['e2e', 'bench', 'deploy', 'scripts', 'workflows'];

/** @param {import('@jest/test-result').Test} test @returns {number} -1: in none of them */
const slowRoomOf = ({ path, context }) =>
  SLOW_ROOMS.indexOf(relative(context.config.rootDir, path).split(sep)[1] ?? '');

export default class Sequencer extends TestSequencer {
  /** @param {import('@jest/test-result').Test[]} tests */
  sort(tests) {
    const sorted = super.sort(tests); // longest first: by the last run, or by size
    const slow = sorted.filter((test) => slowRoomOf(test) >= 0);
    const quick = sorted.filter((test) => slowRoomOf(test) < 0);
    slow.sort((one, other) => slowRoomOf(one) - slowRoomOf(other));
    return sorted.flatMap((_, at) => [slow[at], quick[at]].filter((test) => test !== undefined));
  }
}
