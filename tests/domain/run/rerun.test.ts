import { checkGraph, type Graph } from '../../../domain/run/pipeline.js';
import {
  changedDesign,
  compareRuns,
  inSpellingOf,
  reusableNodes,
} from '../../../domain/run/rerun.js';
import type { AgentResult } from '../../../domain/run/results.js';
import { designOf, edgesOf } from '../../support/designs.js';

const DESIGN = designOf(['root', 'left', 'right', 'join', 'alone'], {
  edges: edgesOf('root>left', 'root>right', 'left>join', 'right>join'),
});

function graphOf(design = DESIGN): Graph {
  const checked = checkGraph(design);
  if (checked.kind !== 'graph') {
    throw new Error(checked.reason);
  }
  return checked.graph;
}

const NODES = ['root', 'left', 'right', 'join', 'alone'];
const ALL_WELL = new Map(NODES.map((node) => [node, 'success'] as const));
const NO_CHANGES = new Map<string, object>();

test.each([
  ['left', ['root', 'right', 'alone']],
  ['root', ['alone']],
  ['join', ['root', 'left', 'right', 'alone']],
  ['alone', ['root', 'left', 'right', 'join']],
])('from %s on: everything else keeps its answer', (from, kept) => {
  expect(reusableNodes(graphOf(), ALL_WELL, { from, changes: NO_CHANGES })).toEqual(kept);
});

test('a changed node is asked anew, with what follows it', () => {
  const changes = new Map([['right', { temperature: 0 }]]);
  expect(reusableNodes(graphOf(), ALL_WELL, { from: null, changes })).toEqual([
    'root',
    'left',
    'alone',
  ]);
  expect(reusableNodes(graphOf(), ALL_WELL, { from: 'left', changes })).toEqual(['root', 'alone']);
});

test('without a node and without changes, everything is asked anew', () => {
  expect(reusableNodes(graphOf(), ALL_WELL, { from: null, changes: NO_CHANGES })).toEqual([]);
});

test('what failed or never ran has no answer to keep', () => {
  const answered = new Map([...ALL_WELL, ['left', 'failed'] as const]);
  answered.delete('alone');
  expect(reusableNodes(graphOf(), answered, { from: 'join', changes: NO_CHANGES })).toEqual([
    'root',
    'right',
  ]);
});

test('changes go to the node that they name, also where names were made unique', () => {
  const design = designOf(['same', 'same']);
  const changes = new Map([['same_1', { llm_model: 'gpt-4o' }]]);
  const changed = changedDesign(design, graphOf(design), { from: null, changes });
  expect(changed.agents.map((agent) => agent.llm_model)).toEqual(['gpt-4o-mini', 'gpt-4o']);
});

function resultOf(node: string, content: string): AgentResult {
  return {
    agent_name: node,
    role: 'analyzer',
    content,
    tokens_used: 1,
    cost_estimate: 0,
    duration_seconds: 0,
    status: 'success',
    error: null,
  };
}

test('two runs are compared node by node', () => {
  const right = designOf(['root', 'new']);
  const agents = right.agents.map((agent) => ({
    ...agent,
    temperature: 0.1,
    max_tokens_named: true as const, // says who has named them, and is no setting
  }));
  const compared = compareRuns(
    {
      design: DESIGN,
      graph: graphOf(),
      results: new Map([['root', resultOf('root', 'same')]]),
    },
    {
      design: { ...right, agents },
      graph: graphOf(right),
      results: new Map([
        ['root', resultOf('root', 'same')],
        ['new', resultOf('new', 'x')],
      ]),
    },
  );
  expect(compared.map(({ node }) => node)).toEqual([...NODES, 'new']);
  expect(compared[0]).toMatchObject({ same_output: true, changed: ['temperature'] });
  expect(compared[1]).toMatchObject({ left: null, right: null, same_output: false, changed: [] });
  expect(compared.at(-1)).toMatchObject({
    left: null,
    right: { content: 'x' },
    same_output: false,
  });
});

test('nodes of an order are found however their letters are composed', () => {
  const typed = 'caf\u00e9';
  const graph = graphOf(designOf([typed, 'b']));
  const other = typed.normalize('NFD');
  const order = {
    from: other,
    changes: new Map([
      [other, { temperature: 0 }],
      ['c', {}],
    ]),
  };
  expect(inSpellingOf(graph, order)).toEqual({
    from: typed,
    changes: new Map([
      [typed, { temperature: 0 }],
      ['c', {}],
    ]),
  });
});
