import { WebSocket } from 'ws';

/** The close of a message over a limit. Source: RFC 6455 §7.4.1 */
export const TOO_BIG = 1009;

/** `ws` itself closes on a frame over `maxPayload`, and after that nothing can be sent any more. */
export class ChatSocket extends WebSocket {
  /** Called before the socket is closed because of a message over a limit. */
  onTooBig: (() => void) | null = null;

  override close(code?: number, reason?: string | Buffer): void {
    if (code === TOO_BIG && this.readyState === WebSocket.OPEN) {
      this.onTooBig?.();
    }
    super.close(code, reason);
  }
}
