/**
 * Errors that no code waits for. A rejected promise concerns one request or activity only: the process logs and
 * counts it, and goes on for all others. After an exception that was not caught its state is unknown, so it ends,
 * and its supervisor starts it again.
 */
import { Counter, type Registry } from 'prom-client';
import type { Logger } from './logger.js';

export interface StrayErrorsDeps {
  readonly registry: Registry;
  readonly logger: Logger;
}

/** @returns ends it */
export function watchStrayErrors({ registry, logger }: StrayErrorsDeps): () => void {
  const stray = new Counter({
    name: 'agentforge_stray_errors_total',
    help: 'Rejected promises that no code waited for',
    registers: [registry],
  });
  const onRejection = (error: unknown): void => {
    stray.inc();
    logger.error('promise rejected, and no code waits for it', { error });
  };
  const onException = (error: Error): void => {
    logger.error('exception not caught: the process ends, to be started again', { error });
    process.exit(1);
  };
  process.on('unhandledRejection', onRejection).on('uncaughtException', onException);
  return () => {
    process.off('unhandledRejection', onRejection).off('uncaughtException', onException);
  };
}
