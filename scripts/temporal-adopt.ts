/** `npm run temporal:adopt`: lets the next worker that starts bring another Temporal. */
import { forgetTemporalHome } from '../db/temporal-home.js';
import { operatorEnvironment, runCommand, withDatabase } from './operator/environment.js';

await runCommand(() =>
  withDatabase(operatorEnvironment()['DATABASE_URL'] ?? '', async (db) => {
    const home = await forgetTemporalHome(db);
    console.log(
      home === null
        ? 'This database belongs to no Temporal yet: the first worker that starts decides.'
        : `This database belonged to the namespace "${home.namespace}". The next worker that starts decides; runs whose workflow is not there end as failed.`,
    );
  }),
);
