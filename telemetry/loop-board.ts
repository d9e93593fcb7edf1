/**
 * Memory that a process shares with its watchdog thread: a heartbeat of the main loop, what was begun
 * last, and which workflow the workflow thread works on. Writing costs about a microsecond, and no
 * message is sent.
 */

/** `workflow`: the SDK's thread for workflow code, in workers. */
export type Loop = 'main' | 'workflow';

/** Ids and names; never texts. */
export type Work = Readonly<Record<string, string | number>>;

export interface Board {
  readonly buffer: SharedArrayBuffer;
  /** The main loop is free. @param isDebugged a debugger may stop it at any time */
  beat(isDebugged: boolean): void;
  /** How often the main loop has been free. */
  readHeartbeats(): number;
  readDebugged(): boolean;
  noteBegun(work: Work): void;
  readBegun(): Work | null;
  /** The workflow thread has begun with another task. @param work null: it has nothing to do */
  noteWorkflow(work: Work | null): void;
  /** How many tasks the workflow thread has begun. */
  readWorkflowTurns(): number;
  /** null: the thread has nothing to do */
  readWorkflow(): Work | null;
  /** How long a loop has been held; 0: it is free. */
  setHeldMs(loop: Loop, heldMs: number): void;
  readHeldMs(loop: Loop): number;
}

const CELLS = { beats: 0, debugged: 1, turns: 2, main: 3, workflow: 4, begun: 5, task: 6 } as const;
const CELL_BYTES = 32;
const TEXT_BYTES = 1_024;
const MAX_VALUE = 200;

/** @param buffer of the board of another thread; default: a new one */
export function openBoard(buffer = new SharedArrayBuffer(CELL_BYTES + 2 * TEXT_BYTES)): Board {
  const cells = new Int32Array(buffer, 0, CELL_BYTES / Int32Array.BYTES_PER_ELEMENT);
  const begun = openText(cells, CELLS.begun, Buffer.from(buffer, CELL_BYTES, TEXT_BYTES));
  const task = openText(
    cells,
    CELLS.task,
    Buffer.from(buffer, CELL_BYTES + TEXT_BYTES, TEXT_BYTES),
  );
  return {
    buffer,
    beat(isDebugged) {
      Atomics.store(cells, CELLS.debugged, isDebugged ? 1 : 0);
      Atomics.add(cells, CELLS.beats, 1);
    },
    readHeartbeats: () => Atomics.load(cells, CELLS.beats),
    readDebugged: () => Atomics.load(cells, CELLS.debugged) === 1,
    noteBegun: begun.write,
    readBegun: begun.read,
    noteWorkflow(work) {
      Atomics.add(cells, CELLS.turns, 1);
      task.write(work);
    },
    readWorkflowTurns: () => Atomics.load(cells, CELLS.turns),
    readWorkflow: task.read,
    setHeldMs(loop, heldMs) {
      Atomics.store(cells, CELLS[loop], Math.round(heldMs));
    },
    readHeldMs: (loop) => Atomics.load(cells, CELLS[loop]),
  };
}

interface SharedText {
  write(work: Work | null): void;
  read(): Work | null;
}

function openText(cells: Int32Array, lengthCell: number, bytes: Buffer): SharedText {
  return {
    write(work) {
      Atomics.store(cells, lengthCell, 0); // a reader must not take half of it
      if (work !== null) {
        Atomics.store(cells, lengthCell, bytes.write(JSON.stringify(work, shortened)));
      }
    },
    read() {
      const length = Atomics.load(cells, lengthCell);
      return length === 0 ? null : parseWork(bytes.toString('utf8', 0, length));
    },
  };
}

function shortened(_: string, value: unknown): unknown {
  return typeof value === 'string' ? value.slice(0, MAX_VALUE) : value;
}

/** Nothing is known of a text that was being written or did not fit. */
export function parseWork(text: string): Work {
  try {
    const parsed: unknown = JSON.parse(text);
    const entries = typeof parsed === 'object' && parsed !== null ? Object.entries(parsed) : [];
    return Object.fromEntries(entries.filter(isNamed));
  } catch {
    return {};
  }
}

function isNamed(entry: [string, unknown]): entry is [string, string | number] {
  return ['string', 'number'].includes(typeof entry[1]);
}
