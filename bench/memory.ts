import { readFileSync } from 'node:fs';

export interface Memory {
  /** Resident. */
  readonly rssMb: number;
  /** Resident, what is shared with other processes divided among them. */
  readonly pssMb: number;
}

const BYTES_PER_KIB = 1_024;

/** Of a process, in MB; NaN where there is no /proc, or the process has ended. */
export function readMemory(pid: number): Memory {
  return {
    rssMb: field(`/proc/${pid}/status`, /^VmRSS:\s+(\d+) kB/m),
    pssMb: field(`/proc/${pid}/smaps_rollup`, /^Pss:\s+(\d+) kB/m),
  };
}

function field(file: string, pattern: RegExp): number {
  try {
    return (Number(pattern.exec(readFileSync(file, 'utf8'))?.[1]) * BYTES_PER_KIB) / 1e6;
  } catch {
    return Number.NaN;
  }
}
