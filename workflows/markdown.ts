/** Pieces of the Markdown that operators read in the Temporal Web UI. */

export interface Column<T> {
  readonly head: string;
  readonly cell: (row: T) => string;
}

/** No-break space: the Web UI's style leaves no room between cells. */
const AIR = '\u00a0';

export function tableOf<T>(columns: readonly Column<T>[], rows: readonly T[]): string {
  const lines = [
    columns.map(({ head }) => `${AIR}${head}${AIR}`),
    columns.map(() => '---'),
    ...rows.map((row) => columns.map(({ cell }) => `${AIR}${plain(cell(row))}${AIR}`)),
  ];
  return lines.map((cells) => `| ${cells.join(' | ')} |`).join('\n');
}

/** What carries a meaning in Markdown or HTML, and so may not come from a user's text. */
const SPECIAL = /[\\`*_{}[\]<>()#+!|~&]/g;

/** Text that Markdown turns into links; a word joiner in it is invisible. */
const LINK = /(?<=:)(?=\/\/)|(?<=www)(?=\.)|(?=@)/gi;
const JOINER = '\u2060';

/** A text of a user's or a model's as one line that is shown as it is, and leads nowhere. */
export function plain(text: string): string {
  return text.replaceAll(/\s+/g, ' ').replaceAll(SPECIAL, '\\$&').replaceAll(LINK, JOINER);
}

/** Within a day or so. */
export function clockOf(ms: number): string {
  return `${new Date(ms).toISOString().slice(11, 19)} UTC`;
}

export function timeOf(ms: number): string {
  return `${new Date(ms).toISOString().slice(0, 19).replace('T', ' ')} UTC`;
}
