// `node tests/support/serve.mjs`: one set of servers for many test runs, until Ctrl-C.
import './typescript-hooks.mjs';

const { serveTestServers } = await import('./start-servers.ts');
await serveTestServers();
