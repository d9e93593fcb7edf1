/** The UTC day that pays for and counts what happens at `date`, as `YYYY-MM-DD`. */
export function utcDay(date: Date): string {
  return date.toISOString().slice(0, 10);
}

const DAY_MS = 24 * 60 * 60 * 1_000;

/** When the UTC day after that of `date` begins. */
export function nextUtcDay(date: Date): Date {
  return new Date((Math.floor(date.getTime() / DAY_MS) + 1) * DAY_MS);
}
