import type { CrawlFailure } from '../domain/collector/crawl-failures.js';

/** A page that could not be collected; the message is for the client. */
export class CrawlFailed extends Error {
  override readonly name = 'CrawlFailed';
  readonly code: CrawlFailure;

  constructor(code: CrawlFailure, message: string, options: ErrorOptions = {}) {
    super(message, options);
    this.code = code;
  }
}
