/** A PostgreSQL whose answer to a `commit` is lost: the transaction is kept, and its client cannot know. */
import { connect, createServer, type AddressInfo, type Socket } from 'node:net';

export interface LostCommits {
  /** The database's address through it. */
  readonly url: string;
  /** How many of the next commits are not acknowledged. */
  lose(count: number): void;
  close(): Promise<void>;
}

/** Source: PostgreSQL's protocol, a simple query. */
const COMMIT = /^Q.{4}commit/is;

export async function startLosingCommits(databaseUrl: string): Promise<LostCommits> {
  const target = new URL(databaseUrl);
  const sockets = new Set<Socket>();
  let left = 0;
  const server = createServer((client) => {
    const upstream = connect({ host: target.hostname, port: Number(target.port) });
    let isLost = false;
    client.on('data', (chunk) => {
      if (left > 0 && COMMIT.test(chunk.toString('latin1'))) {
        left -= 1;
        isLost = true;
      }
      upstream.write(chunk);
    });
    upstream.on('data', (chunk) => {
      if (isLost) {
        client.destroy(); // the server has answered, so it has committed
      } else {
        client.write(chunk);
      }
    });
    for (const [from, to] of [
      [client, upstream],
      [upstream, client],
    ] as const) {
      sockets.add(from);
      from.on('error', () => to.destroy());
      from.on('close', () => {
        sockets.delete(from);
        to.destroy();
      });
    }
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const through = new URL(databaseUrl);
  through.hostname = '127.0.0.1';
  through.port = String((server.address() as AddressInfo).port);
  return {
    url: through.href,
    lose: (count) => {
      left = count;
    },
    close: () =>
      new Promise((resolve) => {
        server.close(() => {
          resolve();
        });
        sockets.forEach((socket) => socket.destroy());
      }),
  };
}
