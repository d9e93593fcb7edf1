import { parseClientFrame } from '../../api/socket/protocol.js';

test.each(['ping', 'pong', 'heartbeat', 'keepalive', 'keep-alive'])(
  'a frame of type %s without a content keeps the connection alive, and is no message',
  (type) => {
    expect(parseClientFrame(JSON.stringify({ type }))).toEqual({ kind: 'keep-alive' });
    expect(parseClientFrame(JSON.stringify({ type, timestamp: 1 }))).toEqual({
      kind: 'keep-alive',
    });
    const message = JSON.stringify({ type, content: 'hello' });
    expect(parseClientFrame(message)).toEqual({ kind: 'message', content: 'hello' });
  },
);

test.each(['{}', '{"type":"message"}', '{"type":1}', '{"type":"ping","content":""}'])(
  'what the contract takes for an empty message stays one: %s',
  (text) => {
    expect(parseClientFrame(text)).toEqual({ kind: 'message', content: '' });
  },
);
