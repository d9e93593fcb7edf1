/** Work that strangers can ask for: at once, then no more often than this, and never forgotten. */
export function createThrottle(work: () => void, everyMs: number) {
  let nextAt = -Infinity;
  let timer: NodeJS.Timeout | undefined;

  function run(): void {
    timer = undefined;
    nextAt = performance.now() + everyMs;
    work();
  }

  return {
    ask(): void {
      const waitMs = nextAt - performance.now();
      if (timer === undefined && waitMs > 0) {
        timer = setTimeout(run, waitMs).unref();
      } else if (timer === undefined) {
        run();
      }
    },
    stop(): void {
      clearTimeout(timer);
    },
  };
}
