/**
 * No text from outside costs more than its length: each function that reads one is fed with texts
 * that have made expressions slow. Costs are compared with each other, never with a clock.
 */
import { readdirSync, readFileSync } from 'node:fs';
import ts from 'typescript';
import { expectLinear } from '../support/growth.js';
import { FAMILIES } from '../support/hostile-texts.js';
import { TEXT_FUNCTIONS } from '../support/text-functions.js';

/** Sixteen million steps, if they are quadratic: enough to be seen. */
const LARGEST = 4_096;

test.each(Object.entries(TEXT_FUNCTIONS))('%s takes linear time', (_name, reads) => {
  for (const { name, of } of FAMILIES) {
    try {
      expectLinear((size) => {
        const text = of(size);
        return () => reads(text);
      }, LARGEST);
    } catch (error) {
      throw new Error(`of ${name}`, { cause: error });
    }
  }
});

/** Functions of one text that come from us, or that only look it up. */
const EXCUSED: Readonly<Record<string, string>> = {
  isKnownBesideNumber: 'of one word of a message that markReferences has cut',
  crawlErrorText: 'joins two texts',
  refuse: 'throws a text',
  ref: 'a name of ours',
  timestampOf: 'a date',
  lookAlikesOf: 'looks up one letter',
  pipelineWorkflowId: 'joins two texts',
  discussionWorkflowId: 'joins two texts',
  userDeletionWorkflowId: 'joins two texts',
  archiveWorkflowId: 'joins two texts',
  archivesWorkflowId: 'joins two texts',
  stepIdOf: 'joins two texts',
  traceOfUuid: 'an id of ours',
  spanIdOf: 'an id of ours',
  lastPriorityOf: 'a key of ours',
};

test('every function of domain/ that takes a text is listed here, or excused', () => {
  const folder = new URL('../../domain/', import.meta.url);
  const unknown = readdirSync(folder, { recursive: true, encoding: 'utf8' })
    .filter((file) => file.endsWith('.ts'))
    .flatMap((file) => textFunctionsIn(file, readFileSync(new URL(file, folder), 'utf8')))
    .filter((name) => !Object.hasOwn(TEXT_FUNCTIONS, name) && !Object.hasOwn(EXCUSED, name));
  expect(unknown).toEqual([]);
});

/** Exported ones whose first parameter is a `string`. */
function textFunctionsIn(file: string, source: string): readonly string[] {
  const { statements } = ts.createSourceFile(file, source, ts.ScriptTarget.Latest, true);
  return statements
    .filter(ts.isFunctionDeclaration)
    .filter(({ modifiers }) => modifiers?.some(({ kind }) => kind === ts.SyntaxKind.ExportKeyword))
    .filter(({ parameters: [first] }) => first?.type?.kind === ts.SyntaxKind.StringKeyword)
    .map(({ name }) => name?.text ?? '');
}
