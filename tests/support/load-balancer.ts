/** One address for several processes, like a load balancer: each connection goes to one of them. */
import { connect, createServer, type AddressInfo, type Socket } from 'node:net';
import { until } from './until.js';

export interface LoadBalancer {
  /** `http://127.0.0.1:<port>` */
  readonly url: string;
  add(target: string): void;
  /** New connections go elsewhere; resolves when what had come in before has been passed on. */
  remove(target: string): Promise<void>;
  close(): Promise<void>;
}

export async function openLoadBalancer(): Promise<LoadBalancer> {
  const targets: string[] = [];
  const sockets = new Set<Socket>();
  /** Connections that have not sent anything yet, by target. */
  const silent = new Map<Socket, string>();
  let turn = 0;
  const server = createServer((client) => {
    turn += 1;
    const target = targets[turn % Math.max(1, targets.length)] ?? '';
    const upstream = connect(Number(new URL(target).port), '127.0.0.1');
    silent.set(client, target);
    client.once('data', () => silent.delete(client));
    for (const [from, to] of [
      [client, upstream],
      [upstream, client],
    ] as const) {
      sockets.add(from);
      from.pipe(to);
      from.on('error', () => to.destroy());
      from.on('close', () => {
        sockets.delete(from);
        silent.delete(from);
        to.destroy();
      });
    }
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${port}`,
    add: (target) => void targets.push(target),
    async remove(target) {
      targets.splice(targets.indexOf(target), 1);
      await until('what has come in is passed on', () => ![...silent.values()].includes(target));
    },
    async close() {
      const closed = new Promise<unknown>((resolve) => server.close(resolve));
      sockets.forEach((socket) => socket.destroy());
      await closed;
    },
  };
}
