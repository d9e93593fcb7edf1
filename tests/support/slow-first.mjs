import { basename, dirname } from 'node:path';
import TestSequencer from '@jest/test-sequencer';

/** Whose tests start processes of their own, and wait for them. */
const SLOW_ROOMS = ['e2e', 'bench', 'workflows', 'deploy', 'scripts'];

/** Long files begin first, so that short ones fill the end up; otherwise in Jest's own order. */
export default class SlowFirst extends TestSequencer {
  sort(tests) {
    const isSlow = ({ path }) => SLOW_ROOMS.includes(basename(dirname(path)));
    const sorted = super.sort(tests);
    return [...sorted.filter(isSlow), ...sorted.filter((test) => !isSlow(test))];
  }
}
