/**
 * The stand-in as a process of its own: `node tests/support/vendors/main.mjs` prints its addresses
 * as one JSON line, takes behaviours as JSON lines on standard input (`null` for the default), and
 * answers the line `"calls"` with all calls so far. Ends with its standard input.
 */
import { registerHooks } from 'node:module';
import process from 'node:process';
import { createInterface } from 'node:readline';

// Node strips the types itself; only the endings of the imports have to be led to the sources.
registerHooks({
  resolve: (specifier, context, next) => {
    const isOurs = specifier.startsWith('.') && context.parentURL?.endsWith('.ts');
    return next(isOurs ? specifier.replace(/\.js$/, '.ts') : specifier, context);
  },
});

const { startStandInVendors } = await import('./server.ts');
const vendors = await startStandInVendors();
const { openAiUrl, anthropicUrl, googleUrl } = vendors;
say({ openAiUrl, anthropicUrl, googleUrl });

for await (const line of createInterface({ input: process.stdin })) {
  const order = JSON.parse(line);
  if (order === 'calls') {
    say(vendors.calls);
  } else {
    vendors.setBehaviour(order ?? undefined);
    say({ done: true });
  }
}
await vendors.close();

function say(value) {
  process.stdout.write(`${JSON.stringify(value)}\n`);
}
