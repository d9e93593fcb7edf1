// `npm run histories:record`: plays each story of record-histories.ts against the built product
// and writes its histories to tests/histories/<version>/. A released version's are never edited.
import './typescript-hooks.mjs';

const { startTestServers } = await import('./start-servers.ts');
const { recordHistories } = await import('./record-histories.ts');
const servers = await startTestServers();
try {
  await recordHistories();
} finally {
  await servers.stop();
}
process.exit();
