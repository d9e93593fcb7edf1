import { until } from './until.js';

export interface Frame {
  readonly id: string | null;
  readonly event: string;
  readonly data: any;
}

/** One answer of server-sent events, as bare as it comes. */
export interface EventSource {
  readonly status: number;
  readonly headers: Headers;
  /** All that has come so far. */
  text(): string;
  frames(): readonly Frame[];
  types(): readonly string[];
  /** The server has ended the answer. */
  ended(): boolean;
  received(count: number): Promise<readonly Frame[]>;
  hangUp(): void;
}

export async function openEventSource(
  url: string,
  headers: Readonly<Record<string, string>>,
): Promise<EventSource> {
  const controller = new AbortController();
  const response = await fetch(url, { headers, signal: controller.signal });
  let text = '';
  let hasEnded = false;
  const read = async (): Promise<void> => {
    const decoder = new TextDecoder();
    for await (const chunk of response.body ?? []) {
      text += decoder.decode(chunk, { stream: true });
    }
    hasEnded = true;
  };
  read().catch(() => undefined); // hung up, or cut
  const frames = () => framesOf(text);
  return {
    status: response.status,
    headers: response.headers,
    text: () => text,
    frames,
    types: () => frames().map(({ event }) => event),
    ended: () => hasEnded,
    received: (count) =>
      until(`${count} events have come`, () => (frames().length >= count ? frames() : null)),
    hangUp: () => {
      controller.abort();
    },
  };
}

function framesOf(text: string): readonly Frame[] {
  return text
    .split('\n\n')
    .slice(0, -1)
    .filter((block) => block.includes('data: '))
    .map((block) => {
      const fields = new Map(
        block.split('\n').map((line) => {
          const [, name = '', value = ''] = /^(\w+): (.*)$/.exec(line) ?? [];
          return [name, value];
        }),
      );
      return {
        id: fields.get('id') ?? null,
        event: fields.get('event') ?? '',
        data: JSON.parse(fields.get('data') ?? 'null'),
      };
    });
}
