import { repairStepOf, stepIdOf } from '../../../domain/ids.js';
import { NODE_STEPS, nodeStepId, nodeStepIds } from '../../../domain/run/node-steps.js';

test('the first step has the id of its node, and each step an id of its own', () => {
  const node = stepIdOf('run', 'a:9');
  expect(nodeStepId(node, 'answer')).toBe(node);
  expect(nodeStepId(node, 'repair')).toBe('run:a:9:1');
  expect(nodeStepIds(node)).toEqual(NODE_STEPS.map((_, at) => `run:a:9:${at}`));
});

test('ids are those of released runs, whose replies are found by them', () => {
  const node = stepIdOf('run', 'node');
  expect(nodeStepIds(node).slice(0, 2)).toEqual([node, repairStepOf(node)]);
});
