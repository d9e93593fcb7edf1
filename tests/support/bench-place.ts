/** The test servers as a program of bench/ sees them, with a database of its own. */
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PRESENT, type Build } from '../../bench/builds.js';
import { placeOf, type Place } from '../../bench/place.js';
import { createTestDb, testServers } from './servers.js';

export interface BenchPlace {
  readonly place: Place;
  remove(): Promise<void>;
}

export async function benchPlace(build: Build = PRESENT): Promise<BenchPlace> {
  const own = await createTestDb();
  const home = mkdtempSync(join(tmpdir(), 'agentforge-bench-test-'));
  mkdirSync(join(home, 'logs'));
  const place = placeOf(home, { ...testServers(), databaseUrl: own.url }, { build });
  return {
    place,
    async remove() {
      await place.db.destroy();
      rmSync(home, { recursive: true, force: true });
      await own.drop();
    },
  };
}
