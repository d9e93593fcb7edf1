import {
  crawlErrorText,
  isPassingCrawlError,
  isRefusedCrawlError,
} from '../../../domain/collector/crawl-failures.js';

test('temporary failures are distinguished from final ones', () => {
  expect(isPassingCrawlError(crawlErrorText('page-unavailable', 'HTTP status 503'))).toBe(true);
  expect(isPassingCrawlError(crawlErrorText('timeout', 'too slow'))).toBe(true);
  expect(isPassingCrawlError(crawlErrorText('page-status', 'HTTP status 404'))).toBe(false);
  expect(isPassingCrawlError('some other collector’s own words (timeout) here')).toBe(false);
  expect(isPassingCrawlError('')).toBe(false);
});

test('a refusal is distinguished from a failure', () => {
  expect(isRefusedCrawlError(crawlErrorText('refused-address', 'the address is private'))).toBe(
    true,
  );
  expect(isRefusedCrawlError(crawlErrorText('disallowed-by-robots', 'not for us'))).toBe(true);
  expect(isRefusedCrawlError(crawlErrorText('timeout', 'too slow'))).toBe(false);
});
