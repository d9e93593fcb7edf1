/** Random designs and what their agents do, small enough to be read when a property fails. */
import fc from 'fast-check';
import type { Design } from '../../domain/design/designs.js';
import { agentOf, designOf, edgesOf } from './designs.js';

export interface DrawnRun {
  /** In the order of the design, which is no topological order. */
  readonly agents: readonly DrawnAgent[];
  /** `a>b` or `a>b: x > 1`; none: one after the other, then names may repeat. */
  readonly edges: readonly string[];
}

export interface DrawnAgent {
  readonly name: string;
  readonly approval: 'none' | 'agreed' | 'rejected';
  readonly end: 'success' | 'failed' | 'over-budget';
  /** A field of its answer, for conditions to look at. */
  readonly x: number;
  /** How often its call is put off before it is made. */
  readonly putOff: number;
}

export interface Draw {
  readonly maxAgents: number;
  /** Fields that conditions look at. */
  readonly fields: readonly string[];
  readonly ends?: readonly DrawnAgent['end'][];
  readonly approvals?: readonly DrawnAgent['approval'][];
}

/** Shrinks to few agents that simply succeed. */
export function drawRun(draw: Draw): fc.Arbitrary<DrawnRun> {
  return fc.integer({ min: 1, max: draw.maxAgents }).chain((count) => {
    const names = Array.from({ length: count }, (_, at) => `n${at}`);
    const pairs = names.flatMap((target, at) =>
      names.slice(0, at).map((source) => `${source}>${target}`),
    );
    const edge = fc
      .tuple(fc.constantFrom(...pairs, ''), conditionOn(draw.fields))
      .map(([ends, condition]) => (ends === '' ? '' : `${ends}${condition}`));
    return fc
      .record({
        order: fc.shuffledSubarray(names, { minLength: count }),
        agents: fc.array(drawAgent(draw), { minLength: count, maxLength: count }),
        edges: fc.array(edge, { maxLength: 2 * count + 2 }),
        areTwins: fc.boolean(),
      })
      .map(({ order, agents, edges: drawn, areTwins }) => {
        const edges = drawn.filter((line) => line !== '');
        const nameOf = (at: number) => (edges.length === 0 && areTwins ? 'n0' : (order[at] ?? ''));
        return { agents: agents.map((agent, at) => ({ ...agent, name: nameOf(at) })), edges };
      });
  });
}

function conditionOn(fields: readonly string[]): fc.Arbitrary<string> {
  return fc
    .tuple(
      fc.constantFrom(...fields),
      fc.constantFrom('>', '<', '>=', '<=', '=='),
      fc.constantFrom('0', '1', '2', '3', '0.5', '-1'),
      fc.constantFrom(' ', ''),
    )
    .map(([field, sign, number, gap]) => `: ${field}${gap}${sign}${gap}${number}`)
    .chain((condition) => fc.constantFrom('', condition));
}

function drawAgent({
  ends = ['success', 'success', 'success', 'failed'],
  approvals = ['none'],
}: Draw): fc.Arbitrary<Omit<DrawnAgent, 'name'>> {
  return fc.record({
    approval: fc.constantFrom(...approvals),
    end: fc.constantFrom(...ends),
    x: fc.integer({ min: 0, max: 3 }),
    putOff: fc.constantFrom(0, 0, 0, 1, 2),
  });
}

export function designFrom({ agents, edges }: DrawnRun): Design {
  return designOf(
    agents.map(({ name, approval }) => agentOf(name, { approval: approval !== 'none' })),
    { edges: edgesOf(...edges) },
  );
}
