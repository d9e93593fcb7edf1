/** `npm run audit:show -- <file> [--prompts]`: an audit bundle as a timeline, if it is what was signed. */
import { readFileSync } from 'node:fs';
import { checkIntegrity } from '../audit/integrity.js';
import { printable, promptLines, timelineOf } from '../audit/timeline.js';
import { runCommand } from './operator/environment.js';

function show([file, ...rest]: readonly string[]): void {
  const [prompts] = rest;
  if (file === undefined || rest.length > 1 || ![undefined, '--prompts'].includes(prompts)) {
    throw new Error('Use it as: npm run audit:show -- <file> [--prompts]');
  }
  const checked = checkIntegrity(readFileSync(file));
  if (checked.kind === 'broken') {
    throw new Error(`${file} is not what was signed.\n${printable(checked.problem)}`);
  }
  const lines = [
    ...timelineOf(checked.contents),
    ...(prompts === undefined ? [] : promptLines(checked.contents)),
  ];
  lines.forEach((line) => {
    console.log(line);
  });
  console.log(`\nSigned by ${checked.keyId}; npm run audit:verify proves it.`);
}

await runCommand(() =>
  Promise.resolve().then(() => {
    show(process.argv.slice(2));
  }),
);
