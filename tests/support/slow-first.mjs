import { relative, resolve, sep } from 'node:path';
import TestSequencer from '@jest/test-sequencer';

const TESTS = resolve(import.meta.dirname, '..');
/** Whose tests start processes of their own, and wait for them. */
const SLOW_FOLDERS = ['e2e', 'bench', 'workflows', 'deploy', 'scripts'];

/** Long files begin first, so that short ones fill the end up; otherwise in Jest's own order. */
export default class SlowFirst extends TestSequencer {
  sort(tests) {
    const isSlow = ({ path }) => SLOW_FOLDERS.includes(relative(TESTS, path).split(sep)[0]);
    const sorted = super.sort(tests);
    return [...sorted.filter(isSlow), ...sorted.filter((test) => !isSlow(test))];
  }
}
