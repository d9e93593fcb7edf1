import type { Design } from '../../../domain/design/designs.js';
import { ancestorsOf, checkGraph, nodeKindOf, type Graph } from '../../../domain/run/pipeline.js';
import { agentOf, designOf, edgesOf } from '../../support/designs.js';

function graphOf(design: Design): Graph {
  const checked = checkGraph(design);
  if (checked.kind !== 'graph') {
    throw new Error(checked.reason);
  }
  return checked.graph;
}

function reasonsOf(design: Design): readonly string[] {
  return (['en', 'ko'] as const).map((language) => {
    const checked = checkGraph(design, language);
    return checked.kind === 'unbuildable' ? checked.reason : 'built';
  });
}

function namesOf(count: number): readonly string[] {
  return Array.from({ length: count }, (_, index) => `a${String(index)}`);
}

test('a design without agents has no graph', () => {
  reasonsOf(designOf([])).forEach((reason) => {
    expect(reason).toContain('no agents');
  });
});

test('20 agents are a graph; with 21 the refusal names both numbers', () => {
  expect(graphOf(designOf(namesOf(20))).nodes).toHaveLength(20);
  reasonsOf(designOf(namesOf(21))).forEach((reason) => {
    expect(reason).toContain('too many');
    expect(reason).toContain('21');
    expect(reason).toContain('20');
  });
});

test.each([[null], [[]]])('with edges %j the agents form a chain in list order', (edges) => {
  const graph = graphOf(designOf(['a', 'b', 'c'], { edges }));
  expect(graph.mode).toBe('sequential');
  expect(graph.nodes.map(({ node, outgoing }) => [node, outgoing])).toEqual([
    ['a', [{ target: 'b', condition: null }]],
    ['b', [{ target: 'c', condition: null }]],
    ['c', []],
  ]);
});

test('in a chain a repeated name gets a suffix for the node and stays itself for the agent', () => {
  const graph = graphOf(designOf(['a', 'a', 'a']));
  expect(graph.nodes.map(({ node }) => node)).toEqual(['a', 'a_1', 'a_2']);
  expect(graph.nodes.map(({ agentName }) => agentName)).toEqual(['a', 'a', 'a']);
});

test("a suffix never takes another agent's own name", () => {
  const graph = graphOf(designOf(['a', 'a', 'a_1', 'a_1']));
  expect(graph.nodes.map(({ node }) => node)).toEqual(['a', 'a_2', 'a_1', 'a_1_1']);
});

test.each(['.', '..'])('an approval named "%s" is refused, another agent is not', (name) => {
  const design = designOf(['a', name]);
  const approving = {
    ...design,
    agents: design.agents.map((agent) => ({ ...agent, approval: agent.name === name })),
  };
  reasonsOf(approving).forEach((reason) => {
    expect(reason).toContain('agents.1.name: ');
  });
  expect(graphOf(design).nodes).toHaveLength(2);
});

test('with edges a repeated name is refused', () => {
  reasonsOf(designOf(['a', 'a', 'b'], { edges: edgesOf('a>b') })).forEach((reason) => {
    expect(reason).toContain('duplicate');
  });
});

test.each([['a>x'], ['x>a']])('the edge %s to an unknown agent is "not found"', (edge) => {
  reasonsOf(designOf(['a', 'b'], { edges: edgesOf(edge) })).forEach((reason) => {
    expect(reason).toContain('not found');
    expect(reason).toContain('"x"');
  });
});

test.each([[['a>a']], [['a>b', 'b>a']], [['a>b', 'b>c', 'c>b']]])(
  'the edges %j are refused as a cycle',
  (lines) => {
    reasonsOf(designOf(['a', 'b', 'c'], { edges: edgesOf(...lines) })).forEach((reason) => {
      expect(reason).toContain('Cycle detected');
    });
  },
);

test('a diamond is no cycle', () => {
  const edges = edgesOf('a>b', 'a>c', 'b>d', 'c>d');
  expect(graphOf(designOf(['a', 'b', 'c', 'd'], { edges })).mode).toBe('explicit');
});

test('a condition that cannot be read is refused while building', () => {
  reasonsOf(designOf(['a', 'b'], { edges: edgesOf('a>b: score != 1') })).forEach((reason) => {
    expect(reason).toContain('Invalid condition');
  });
});

test('conditions are parsed once, while building', () => {
  const graph = graphOf(designOf(['a', 'b'], { edges: edgesOf('a>b: score > 0.8') }));
  expect(graph.nodes[0]?.outgoing).toEqual([
    { target: 'b', condition: { kind: 'condition', field: 'score', op: '>', value: 0.8 } },
  ]);
});

test('a graph survives a round trip through JSON', () => {
  const graph = graphOf(designOf(['a', 'b', 'c'], { edges: edgesOf('a>b: x < -1.5', 'a>c') }));
  expect(JSON.parse(JSON.stringify(graph))).toEqual(graph);
});

test.each([
  ['collector', false, 'collector'],
  ['analyzer', false, 'analyzer'],
  ['validator', false, 'validator'],
  ['synthesizer', false, 'synthesizer'],
  ['reporter', false, 'reporter'],
  ['critic', false, 'analyzer'],
  ['cross_checker', false, 'analyzer'],
  ['poet', false, 'analyzer'],
  ['constructor', false, 'analyzer'],
  ['reporter', true, 'custom'],
  ['poet', true, 'custom'],
] as const)('the role %s (custom: %s) runs as %s', (role, isCustom, kind) => {
  expect(nodeKindOf({ role, is_custom_role: isCustom })).toBe(kind);
});

test('the ancestors of a node are all from which a path leads to it', () => {
  const edges = edgesOf('a>b', 'b>d', 'c>d', 'd>e', 'a>x');
  const graph = graphOf(designOf(['a', 'b', 'c', 'd', 'e', 'x', 'alone'], { edges }));
  expect([...ancestorsOf(graph, 'd')].sort()).toEqual(['a', 'b', 'c']);
  expect([...ancestorsOf(graph, 'a')]).toEqual([]);
  expect([...ancestorsOf(graph, 'alone')]).toEqual([]);
});

test('names that every object knows as properties are plain names', () => {
  const agents = [agentOf('__proto__'), agentOf('constructor'), agentOf('toString')];
  const edges = edgesOf('__proto__>constructor', 'constructor>toString');
  const graph = graphOf(designOf(agents, { edges }));
  expect([...ancestorsOf(graph, 'toString')].sort()).toEqual(['__proto__', 'constructor']);
});

const NFC = 'café';
const NFD = NFC.normalize('NFD');

function edgeOf(source: string, target: string) {
  return { source, target, condition: null };
}

test('an edge finds its agents however their letters are composed; names stay as typed', () => {
  const graph = graphOf(designOf([NFC, 'b'], { edges: [edgeOf(NFD, 'b')] }));
  expect(graph.nodes[0]).toMatchObject({ node: NFC, outgoing: [{ target: 'b' }] });
  const other = graphOf(designOf(['b', NFD], { edges: [edgeOf('b', NFC)] }));
  expect(other.nodes[0]?.outgoing).toMatchObject([{ target: NFD }]);
});

test('two spellings of one name are a duplicate', () => {
  reasonsOf(designOf([NFC, NFD, 'b'], { edges: [edgeOf(NFC, 'b')] })).forEach((reason) => {
    expect(reason).toContain('duplicate');
  });
  expect(graphOf(designOf([NFC, NFD])).nodes.map(({ node }) => node)).toEqual([NFC, `${NFD}_1`]);
});
