import './typescript-hooks.mjs';

export default async function globalSetup() {
  const { startTestServers } = await import('./start-servers.ts');
  globalThis.agentforgeTestServers = await startTestServers();
}
