/** Makes a server "go away" for one test without touching the server itself. */
import { connect, createServer, type AddressInfo, type Socket } from 'node:net';

export interface TcpProxy {
  readonly port: number;
  /** Ends all connections and refuses new ones, like a server that was killed. */
  cut(): Promise<void>;
  /** Keeps all connections open but passes nothing on, like a network that swallows packets. */
  freeze(): void;
  /** Passes on what clients send, but no answer: like `freeze`, in one direction. */
  deafen(): void;
  /** Back to normal on the same port. */
  restore(): Promise<void>;
  close(): Promise<void>;
}

export async function startTcpProxy(target: { host: string; port: number }): Promise<TcpProxy> {
  const sockets = new Set<Socket>();
  let isFrozen = false;
  let isDeaf = false;
  const server = createServer((client) => {
    const upstream = connect(target);
    for (const [from, to] of [
      [client, upstream],
      [upstream, client],
    ] as const) {
      sockets.add(from);
      from.on('data', (chunk) => {
        if (!isFrozen && !(isDeaf && from === upstream)) {
          to.write(chunk);
        }
      });
      from.on('error', () => to.destroy());
      from.on('close', () => {
        sockets.delete(from);
        to.destroy();
      });
    }
  });

  const listen = (port: number): Promise<void> =>
    new Promise((resolve, reject) => {
      server.once('error', reject);
      server.listen(port, '127.0.0.1', () => {
        server.off('error', reject);
        resolve();
      });
    });
  await listen(0);
  const { port } = server.address() as AddressInfo;

  const cut = async (): Promise<void> => {
    const closed = new Promise<void>((resolve) => {
      server.close(() => {
        resolve();
      });
    });
    sockets.forEach((socket) => socket.destroy());
    await closed;
  };

  return {
    port,
    cut,
    freeze: () => {
      isFrozen = true;
    },
    deafen: () => {
      isDeaf = true;
    },
    restore: async () => {
      isFrozen = false;
      isDeaf = false;
      if (!server.listening) {
        await listen(port);
      }
    },
    close: cut,
  };
}
