export default async function globalTeardown() {
  await globalThis.agentforgeTestServers?.stop();
}
