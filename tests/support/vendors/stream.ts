import type { ServerResponse } from 'node:http';
import type { Behaviour } from './behaviour.js';
import { sse, type Wire, type WireAnswer } from './wire.js';

const PIECES = 4;

/** An answer as server-sent events, or as much of it as the behaviour sends. */
export async function sendStream(
  response: ServerResponse,
  { wire, behaviour, requestId }: { wire: Wire; behaviour: Behaviour; requestId: string },
  answer: WireAnswer,
): Promise<void> {
  const { head, piece, tail, error } = wire.stream(answer);
  response.writeHead(200, {
    'content-type': 'text/event-stream',
    [wire.requestIdHeader]: requestId,
  });
  if (behaviour.kind === 'garbage' || behaviour.kind === 'empty') {
    const isGarbage = behaviour.kind === 'garbage';
    response.end(isGarbage ? '<html>bad gateway</html>' : sse(wire.empty(answer)));
    return;
  }
  const isWhole = behaviour.kind === 'answer';
  const pieces = piecesOf(answer.text, (isWhole ? behaviour.pieces : undefined) ?? PIECES);
  response.flushHeaders();
  await write(response, head);
  for (const [index, text] of pieces.slice(0, isWhole ? undefined : pieces.length / 2).entries()) {
    if (isWhole) {
      await behaviour.pace?.(index);
    }
    await write(response, piece(text));
  }
  endStream(response, behaviour.kind, { tail, error });
}

function endStream(
  response: ServerResponse,
  kind: Behaviour['kind'],
  { tail, error }: { tail: string; error: string },
): void {
  switch (kind) {
    case 'answer':
      response.end(tail);
      break;
    case 'break':
      response.end(error);
      break;
    case 'end-early':
      response.end();
      break;
    case 'cut':
      response.destroy();
      break;
    default: // 'stall' goes on for ever
  }
}

/** Resolves when it has left, or its client is gone. */
async function write(response: ServerResponse, text: string): Promise<void> {
  await new Promise<void>((resolve) => {
    response.write(text, () => {
      resolve();
    });
  });
}

/** About so many pieces of equal length; a pair of surrogates stays together. */
function piecesOf(text: string, count: number): readonly string[] {
  const points = Array.from(text);
  const length = Math.max(1, Math.ceil(points.length / count));
  const starts = Array.from({ length: Math.ceil(points.length / length) }, (_, at) => at * length);
  return starts.map((start) => points.slice(start, start + length).join(''));
}
