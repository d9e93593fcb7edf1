/** What came over the socket, and when. */
export interface Incoming {
  readonly text: string;
  readonly receivedAt: Date;
}

export interface Inbox {
  push(incoming: Incoming): void;
  /** Forgets what is waiting. */
  clear(): void;
  /** Resolves when nothing is waiting or being worked on. */
  whenEmpty(): Promise<void>;
}

export interface InboxOptions {
  /** Works on one; the next one waits for it. Never rejects. */
  readonly work: (incoming: Incoming) => Promise<void>;
  readonly maxLength: number;
  readonly onFull: () => void;
  readonly onRoom: () => void;
}

/** The frames of one socket, worked on strictly one after the other. */
export function createInbox({ work, maxLength, onFull, onRoom }: InboxOptions): Inbox {
  const waiting: Incoming[] = [];
  let working: Promise<void> = Promise.resolve();
  let isWorking = false;

  async function workOff(): Promise<void> {
    for (let next = waiting.shift(); next !== undefined; next = waiting.shift()) {
      await work(next);
      if (waiting.length < maxLength) {
        onRoom();
      }
    }
    isWorking = false;
  }

  return {
    push(incoming) {
      waiting.push(incoming);
      if (waiting.length >= maxLength) {
        onFull();
      }
      if (!isWorking) {
        isWorking = true;
        working = workOff();
      }
    },
    clear() {
      waiting.length = 0;
    },
    whenEmpty: () => working,
  };
}
