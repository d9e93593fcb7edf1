import { randomBytes } from 'node:crypto';
import { answersOk } from './app-processes.js';

export interface Addresses {
  /** Without a path. */
  readonly api: string;
  /** null: not started here */
  readonly collector: string | null;
  /** null: not ours to know */
  readonly temporalUi: string | null;
  readonly logs: string;
}

/** What a person needs next: addresses, and three commands that hold a first conversation. */
export async function describeAddresses(addresses: Addresses): Promise<readonly string[]> {
  const { api, collector, temporalUi, logs } = addresses;
  const measured = collector === null ? [api] : [api, collector];
  const metrics = measured.map((url) => `${url}/metrics`).join(', ');
  const described = (await answersOk(`${api}/docs`)) ? [`  API description   ${api}/docs`] : [];
  return [
    '',
    'AgentForge runs. Ctrl-C stops it; nothing is lost.',
    '',
    `  API               ${api}/api/v1`,
    ...described,
    ...(collector === null ? [] : [`  Data collector    ${collector}/api/v1`]),
    `  Metrics           ${metrics}`,
    ...(temporalUi === null
      ? []
      : [
          `  Temporal Web UI   ${temporalUi}`,
          '                    sign in as an administrator; the first one: npm run user:role -- <email> admin',
        ]),
    `  Logs              ${logs}`,
    '',
    'Try this in another terminal (signs up, opens a conversation, says something; then type your answers):',
    '',
    ...firstConversation(api),
    '',
  ];
}

function firstConversation(api: string): readonly string[] {
  const json = `-H 'content-type: application/json'`;
  const pick = (field: string): string =>
    `python3 -c 'import json,sys; print(json.load(sys.stdin)["${field}"])'`;
  const account = JSON.stringify({
    email: `you-${randomBytes(3).toString('hex')}@example.com`,
    password: `Try-it-${randomBytes(6).toString('hex')}A1!`,
    display_name: 'You',
  });
  const state = [
    'const s = new WebSocket(process.argv[1])',
    's.onopen = () => s.send(JSON.stringify({ content: "Compare three podcast apps by price" }))',
    's.onmessage = (e) => console.log(e.data)',
    'process.stdin.on("data", (line) => s.send(JSON.stringify({ content: String(line).trim() })))',
  ].join('; ');
  const socket = `${api.replace('http', 'ws')}/api/v1/ws/chat/$CHAT?token=$TOKEN`;
  return [
    `  TOKEN=$(curl -s ${api}/api/v1/auth/register ${json} -d '${account}' | ${pick('access_token')})`,
    `  CHAT=$(curl -s ${api}/api/v1/conversations ${json} -H "authorization: Bearer $TOKEN" -d '{"title":"Hello"}' | ${pick('id')})`,
    `  '${process.execPath}' -e '${state}' "${socket}"`,
  ];
}
