/** A Chromium of this machine's, driven by the DevTools protocol: no package is installed for it. */
import { spawn } from 'node:child_process';
import { accessSync, constants, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import WebSocket from 'ws';
import { z } from 'zod';
import { waitUntil } from '../embedded/wait.js';

export interface Part {
  readonly x: number;
  readonly y: number;
  readonly width: number;
  readonly height: number;
}

export interface Page {
  goto(url: string): Promise<void>;
  /** Runs an expression in the page; a promise is awaited. */
  evaluate(expression: string): Promise<unknown>;
  /** @throws Error with what the page shows, when the expression does not become true in time */
  until(what: string, expression: string): Promise<void>;
  /** A part of the window, as a PNG. */
  capture(file: string, part: Part): Promise<void>;
}

export interface Browser {
  readonly page: Page;
  close(): Promise<void>;
}

const WIDTH = 1_480;
const HEIGHT = 1_250;
const READY_MS = 20_000;
const PAGE_MS = 30_000;

/** @throws Error with the cure where there is no Chromium */
export async function openBrowser(): Promise<Browser> {
  const home = mkdtempSync(join(tmpdir(), 'agentforge-chromium-'));
  const child = spawn(findChromium(), argumentsOf(home), { stdio: 'ignore' });
  const ended = new Promise<void>((resolve) => {
    child.once('exit', () => {
      resolve();
    });
  });
  const close = async (): Promise<void> => {
    child.kill('SIGTERM');
    await ended;
    rmSync(home, { recursive: true, force: true, maxRetries: 5 });
  };
  try {
    const ask = await connect(await endpointOf(home));
    return {
      page: await openPage(ask),
      async close() {
        await ask('Browser.close'); // in order, so that nothing of it writes any more
        await close();
      },
    };
  } catch (error) {
    await close();
    throw error;
  }
}

function findChromium(): string {
  const chosen = process.env['CHROMIUM'];
  if (chosen !== undefined && chosen !== '') {
    return chosen;
  }
  const names = ['chromium', 'chromium-browser', 'google-chrome'];
  const folders = (process.env['PATH'] ?? '').split(delimiter);
  const found = folders.flatMap((folder) => names.map((name) => join(folder, name))).find(mayRun);
  if (found === undefined) {
    throw new Error(
      'No Chromium was found: install one (Debian: apt-get install --no-install-recommends chromium), or name yours in CHROMIUM.',
    );
  }
  return found;
}

function mayRun(file: string): boolean {
  try {
    accessSync(file, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

function argumentsOf(home: string): readonly string[] {
  return [
    '--headless=new',
    '--remote-debugging-port=0',
    `--user-data-dir=${home}`,
    `--window-size=${WIDTH},${HEIGHT}`,
    '--hide-scrollbars',
    '--no-first-run',
    '--disable-gpu',
    '--disable-dev-shm-usage',
    ...(process.getuid?.() === 0 ? ['--no-sandbox'] : []), // Chromium refuses root's sandbox
    'about:blank',
  ];
}

async function endpointOf(home: string): Promise<string> {
  const read = (): readonly string[] => {
    try {
      return readFileSync(join(home, 'DevToolsActivePort'), 'utf8').split('\n');
    } catch {
      return []; // not yet
    }
  };
  await waitUntil(() => Promise.resolve(read().length > 1), { timeoutMs: READY_MS });
  const [port, path] = read();
  if (port === undefined || path === undefined) {
    throw new Error('Chromium did not get ready.');
  }
  return `ws://127.0.0.1:${port}${path}`;
}

const Answer = z.object({
  id: z.int(),
  result: z.record(z.string(), z.unknown()).optional(),
  error: z.object({ message: z.string() }).optional(),
});

type Ask = (
  method: string,
  params?: object,
  sessionId?: string,
) => Promise<Readonly<Record<string, unknown>>>;

async function connect(url: string): Promise<Ask> {
  const socket = new WebSocket(url);
  await new Promise((resolve, reject) => {
    socket.once('open', resolve).once('error', reject);
  });
  const waiting = new Map<number, PromiseWithResolvers<Readonly<Record<string, unknown>>>>();
  let last = 0;
  socket.on('message', (data: Buffer) => {
    const answer = Answer.safeParse(JSON.parse(data.toString()));
    if (answer.success) {
      const { id, result = {}, error } = answer.data;
      const asked = waiting.get(id);
      waiting.delete(id);
      if (error === undefined) {
        asked?.resolve(result);
      } else {
        asked?.reject(new Error(error.message));
      }
    }
  });
  return (method, params = {}, sessionId) => {
    last += 1;
    const asked = Promise.withResolvers<Readonly<Record<string, unknown>>>();
    waiting.set(last, asked);
    socket.send(JSON.stringify({ id: last, method, params, sessionId }));
    return asked.promise;
  };
}

const Target = z.object({ targetId: z.string() });
const Session = z.object({ sessionId: z.string() });
const Evaluated = z.object({
  result: z.object({ value: z.unknown().optional() }),
  exceptionDetails: z.object({ text: z.string() }).optional(),
});
const Captured = z.object({ data: z.string() });

async function openPage(ask: Ask): Promise<Page> {
  const { targetId } = Target.parse(await ask('Target.createTarget', { url: 'about:blank' }));
  const attached = await ask('Target.attachToTarget', { targetId, flatten: true });
  const { sessionId } = Session.parse(attached);
  const tell: Ask = (method, params) => ask(method, params, sessionId);
  await tell('Page.enable');
  const evaluate = async (expression: string): Promise<unknown> => {
    const how = { expression, awaitPromise: true, returnByValue: true };
    const { result, exceptionDetails } = Evaluated.parse(await tell('Runtime.evaluate', how));
    if (exceptionDetails !== undefined) {
      throw new Error(`${expression}: ${exceptionDetails.text}`);
    }
    return result.value;
  };
  return {
    evaluate,
    async goto(url) {
      await tell('Page.navigate', { url });
    },
    async until(what, expression) {
      const isTrue = async (): Promise<boolean> =>
        (await evaluate(`Boolean(${expression})`).catch(() => false)) === true;
      if (!(await waitUntil(isTrue, { timeoutMs: PAGE_MS, pollMs: 200 }))) {
        const shown = String(await evaluate('document.body.innerText'));
        throw new Error(`The page does not show ${what}:\n${shown}`);
      }
    },
    async capture(file, part) {
      const how = { format: 'png', clip: { ...part, scale: 1 } };
      const { data } = Captured.parse(await tell('Page.captureScreenshot', how));
      writeFileSync(file, Buffer.from(data, 'base64'));
    },
  };
}
