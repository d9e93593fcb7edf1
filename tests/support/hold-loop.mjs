/**
 * Loaded into a built process by `--import`: holds a loop of it when the file HOLD_FILE says so, for
 * example `{"loop": "main", "at": "request-log", "ms": 3000}`. The main loop is held in the
 * scope of the code that asks for the time in the file `at`; the workflow thread where it calls
 * into a workflow.
 */
import { readFileSync, rmSync } from 'node:fs';
import vm from 'node:vm';
import { isMainThread } from 'node:worker_threads';

const file = process.env['HOLD_FILE'] ?? '';
const now = performance.now.bind(performance);

/** @returns what to hold, once */
function orderFor(loop) {
  try {
    const order = JSON.parse(readFileSync(file, 'utf8'));
    return order.loop === loop ? order : null;
  } catch {
    return null;
  }
}

function hold({ ms }) {
  rmSync(file);
  for (const end = now() + ms; now() < end;) {
    // held
  }
}

/** For `{"loop": "main", "stray": "rejection"}`, or `exception`: an error that no code waits for. */
function strayError() {
  const stray = orderFor('main')?.stray;
  if (stray !== undefined) {
    rmSync(file);
    const error = new Error(`a stray ${stray}`);
    if (stray === 'exception') {
      throw error;
    }
    void Promise.reject(error);
  }
}

if (isMainThread) {
  setInterval(strayError, 100).unref();
  performance.now = () => {
    const order = orderFor('main');
    if (order !== null && new Error('here').stack?.includes(`/${order.at}.`)) {
      hold(order);
    }
    return now();
  };
} else {
  const run = vm.Script.prototype.runInContext;
  vm.Script.prototype.runInContext = function runHeld(...args) {
    const order = orderFor('workflow');
    if (order !== null) {
      hold(order);
    }
    return Reflect.apply(run, this, args);
  };
}
