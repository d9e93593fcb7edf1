import parserModule from 'robots-parser';
import type { RobotsTask, RobotsVerdict } from './reading.js';

/** The package exports its function itself; its types say that it is the module's `default`. */
const parseRobots: unknown = parserModule;

/** As the rules call us; a version is no part of the name. */
const AGENT = 'AgentForgeBot/1.0';
const BYTE_ORDER_MARK = /^\uFEFF/;

export function decideRobots({ url, text }: RobotsTask): RobotsVerdict {
  if (!isParser(parseRobots)) {
    throw new Error('robots-parser exports no function');
  }
  const robots = parseRobots(new URL('/robots.txt', url).href, text.replace(BYTE_ORDER_MARK, ''));
  const delaySeconds = robots.getCrawlDelay(AGENT);
  const isDelay = delaySeconds !== undefined && delaySeconds > 0;
  return {
    isAllowed: robots.isAllowed(url, AGENT) !== false,
    crawlDelayMs: isDelay ? delaySeconds * 1_000 : null,
  };
}

function isParser(value: unknown): value is typeof parserModule.default {
  return typeof value === 'function';
}
