// Lets plain Node run our TypeScript sources, so that the servers of a test run come from the
// sources under test and not from an older build.
import { existsSync } from 'node:fs';
import { registerHooks } from 'node:module';

registerHooks({
  resolve(specifier, context, next) {
    if (specifier.startsWith('.') && specifier.endsWith('.js') && context.parentURL) {
      const source = new URL(specifier.replace(/\.js$/, '.ts'), context.parentURL);
      if (existsSync(source)) {
        return next(source.href, context);
      }
    }
    return next(specifier, context);
  },
});
