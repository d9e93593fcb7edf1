/** The built processes with the workflow code of an earlier release. */
import { cpSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { RELEASE_KEY_ID } from '../../audit/release-key.js';
import { openReleases } from '../../audit/releases.js';
import { bundleOf } from '../../audit/replay.js';
import { hashOfBundle } from '../../temporal/code-version.js';
import { makePlaceInCheckout } from './checkout-place.js';
import { DIST } from './product.js';

export interface EarlierBuild {
  readonly version: string;
  /** Hash of its workflow code, as workers name it in their identity. */
  readonly workflowBundle: string;
  /** Ends in `/`. */
  readonly dist: string;
  remove(): void;
}

/** The present processes on the workflows of the last release that had others than the present ones. */
export function makeEarlierBuild(): EarlierBuild {
  const releases = openReleases(new URL('../../releases/', import.meta.url), [RELEASE_KEY_ID]);
  const present = hashOfBundle(readFileSync(join(DIST, 'workflow-bundle.js'), 'utf8'));
  const release = releases.all.findLast((it) => it.workflow_bundle !== present);
  const found = releases.findCode(release?.workflow_bundle ?? '');
  if (found === null || release === undefined) {
    throw new Error('no release has other workflows than the present ones');
  }
  const place = makePlaceInCheckout('earlier-builds');
  const dist = `${join(place, 'dist')}/`;
  cpSync(DIST, dist, { recursive: true });
  writeFileSync(join(dist, 'workflow-bundle.js'), bundleOf(found.code));
  return {
    version: release.version,
    workflowBundle: release.workflow_bundle,
    dist,
    remove: () => {
      rmSync(place, { recursive: true });
    },
  };
}
