/** As little of an HTTP client as can be, so that the server is measured and not its caller. */
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';

const HEAD_END = '\r\n\r\n';

/** One connection, made when it is needed: a server closes those that rest. */
export class HttpClient {
  readonly #url: URL;
  #socket: Socket | null = null;
  #text = '';
  #answer: PromiseWithResolvers<string> | null = null;

  constructor(url: string) {
    this.#url = new URL(url);
  }

  /** @returns the body. @throws unless the answer is 200 */
  async get(path: string, token: string): Promise<string> {
    this.#socket ??= await this.#connect();
    this.#answer = Promise.withResolvers<string>();
    const { host } = this.#url;
    const head = [`GET ${path} HTTP/1.1`, `Host: ${host}`, `Authorization: Bearer ${token}`];
    this.#socket.write(head.join('\r\n') + HEAD_END);
    return this.#answer.promise;
  }

  close(): void {
    this.#socket?.destroy();
  }

  async #connect(): Promise<Socket> {
    const { hostname, port } = this.#url;
    const socket = connect({ host: hostname, port: Number(port), noDelay: true });
    socket.setEncoding('latin1'); // a character is a byte
    socket.on('data', (chunk: string) => {
      this.#take(chunk);
    });
    await once(socket, 'connect');
    socket.on('error', () => undefined); // closed with it
    socket.on('close', () => {
      this.#socket = null;
      this.#answer?.reject(new Error('the connection was closed before the answer'));
    });
    return socket;
  }

  #take(chunk: string): void {
    this.#text += chunk;
    const head = this.#text.indexOf(HEAD_END);
    const length = /^content-length: (\d+)/im.exec(this.#text.slice(0, head))?.[1];
    if (head < 0 || this.#text.length < head + HEAD_END.length + Number(length)) {
      return;
    }
    const text = this.#text;
    this.#text = '';
    if (text.startsWith('HTTP/1.1 200 ')) {
      this.#answer?.resolve(text.slice(head + HEAD_END.length));
    } else {
      this.#answer?.reject(new Error(`refused: ${text.slice(0, 200)}`));
    }
  }
}
