import type { Migration } from 'kysely/migration';
import * as step1 from './2026-11-23T01-foundation.js';
import * as step2 from './2026-11-23T02-agent-outcomes.js';
import * as step3 from './2026-11-24T08-stream-owners.js';
import * as step4 from './2026-11-24T10-waiting-runs.js';
import * as step5 from './2026-11-24T11-who-answered.js';
import * as step6 from './2026-11-24T15-what-outlives.js';
import * as step7 from './2026-11-24T18-deleted-users.js';
import * as step8 from './2026-11-24T20-admin-actions.js';
import * as step9 from './2026-11-24T20-archives.js';
import * as step10 from './2026-11-24T21-disabled-users.js';
import * as step11 from './2026-11-28T10-operators-actions.js';
import * as step12 from './2026-12-01T03-credentials.js';
import * as step13 from './2026-12-01T04-sign-in-networks.js';
import * as step14 from './2026-12-01T05-awaiting-approval.js';
import * as step60 from './2026-12-01T60-answers.js';
import * as step61 from './2026-12-01T61-server-key-days.js';
import * as step202 from './2026-12-02T02-one-run-per-conversation.js';
import * as step203 from './2026-12-02T03-unreported-ends.js';
import * as step204 from './2026-12-02T04-unread-sources.js';
import * as step205 from './2026-12-02T05-call-prompts.js';
import * as step206 from './2026-12-02T06-temporal-home.js';
import * as step207 from './2026-12-02T07-encryption-keys.js';
import * as step302 from './2026-12-03T02-provider-names.js';
import * as step306 from './2026-12-03T06-agent-waits.js';
import * as step401 from './2026-12-04T01-bills.js';
import * as step402 from './2026-12-04T01-run-pages.js';
import * as step403 from './2026-12-04T02-model-endpoints.js';
import * as step404 from './2026-12-04T03-conversation-pages.js';

/** Every migration in order, listed by `npm run db:new`; a released one is never edited. */
export const MIGRATIONS: Readonly<Record<string, Migration>> = {
  '2026-11-23T01-foundation': step1,
  '2026-11-23T02-agent-outcomes': step2,
  '2026-11-24T08-stream-owners': step3,
  '2026-11-24T10-waiting-runs': step4,
  '2026-11-24T11-who-answered': step5,
  '2026-11-24T15-what-outlives': step6,
  '2026-11-24T18-deleted-users': step7,
  '2026-11-24T20-admin-actions': step8,
  '2026-11-24T20-archives': step9,
  '2026-11-24T21-disabled-users': step10,
  '2026-11-28T10-operators-actions': step11,
  '2026-12-01T03-credentials': step12,
  '2026-12-01T04-sign-in-networks': step13,
  '2026-12-01T05-awaiting-approval': step14,
  '2026-12-01T60-answers': step60,
  '2026-12-01T61-server-key-days': step61,
  '2026-12-02T02-one-run-per-conversation': step202,
  '2026-12-02T03-unreported-ends': step203,
  '2026-12-02T04-unread-sources': step204,
  '2026-12-02T05-call-prompts': step205,
  '2026-12-02T06-temporal-home': step206,
  '2026-12-02T07-encryption-keys': step207,
  '2026-12-03T02-provider-names': step302,
  '2026-12-03T06-agent-waits': step306,
  '2026-12-04T01-bills': step401,
  '2026-12-04T01-run-pages': step402,
  '2026-12-04T02-model-endpoints': step403,
  '2026-12-04T03-conversation-pages': step404,
};
