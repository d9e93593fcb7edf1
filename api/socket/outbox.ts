import type { WebSocket } from 'ws';

export interface Outbox {
  /** @returns false if there is no room for another one now; this one is sent nevertheless */
  send(text: string): boolean;
  /** Resolves when there is room, or no client left. */
  whenRoom(): Promise<void>;
}

/** Frames on their way to one client, bounded: a slow one is waited for, not buffered for. */
export function createOutbox(
  socket: WebSocket,
  options: { readonly maxBytes: number; readonly onRoom: () => void },
): Outbox {
  let waiting = Promise.withResolvers<undefined>();
  let isFull = false;

  function onWritten(): void {
    const hasRoom = socket.readyState !== socket.OPEN || socket.bufferedAmount < options.maxBytes;
    if (isFull && hasRoom) {
      isFull = false;
      waiting.resolve(undefined);
      options.onRoom();
    }
  }
  socket.on('close', onWritten);

  return {
    send(text) {
      if (socket.readyState !== socket.OPEN) {
        return false; // the sender learns of the close by its own event
      }
      socket.send(text, onWritten);
      if (!isFull && socket.bufferedAmount >= options.maxBytes) {
        isFull = true;
        waiting = Promise.withResolvers();
      }
      return !isFull;
    },
    whenRoom: () => (isFull ? waiting.promise : Promise.resolve()),
  };
}
