import { withoutQuotedRequest } from '../../../domain/design/texts.js';
import type { Language } from '../../../domain/text/languages.js';
import type { AgentResult } from '../../../domain/run/results.js';
import { AGENT_WORDS, type AgentWords } from './agent-words.js';
import { SIMULATED_NOTE, excerptOf, type PurposeOf } from './purposes.js';

type Node = PurposeOf<'agent'>['node'];
type Writer = (purpose: PurposeOf<'agent'>, words: AgentWords) => readonly string[];

/**
 * A text as the node would write it, about this design and the outputs before it. What the user has
 * asked for is no finding of an agent: it is left out.
 */
export function simulateAgent(purpose: PurposeOf<'agent'>): string {
  const own = {
    ...purpose,
    agentDescription: withoutQuotedRequest(purpose.agentDescription),
    designDescription: withoutQuotedRequest(purpose.designDescription),
  };
  const body = WRITERS[purpose.node](own, AGENT_WORDS[purpose.language]);
  return [SIMULATED_NOTE[purpose.language], '', ...body].join('\n');
}

const WRITERS: Readonly<Record<Node, Writer>> = {
  collector: writePlan,
  analyzer: writeFindings,
  validator: writeChecks,
  synthesizer: writeSynthesis,
  reporter: writeReport,
  custom: writeCustom,
};

function writePlan({ designName, agentDescription }: PurposeOf<'agent'>, words: AgentWords) {
  return [
    `## ${words.planTitle(designName)}`,
    words.goal(agentDescription),
    ...numbered(words.planSteps),
  ];
}

function writeFindings(purpose: PurposeOf<'agent'>, words: AgentWords) {
  const sources = quotesOf(purpose);
  const basis = sources.length === 0 ? [words.fromDescription(purpose.designDescription)] : sources;
  return [
    `## ${words.findingsTitle(purpose.agentName)}`,
    words.goal(purpose.agentDescription),
    ...numbered(basis.map((source) => words.finding(source))),
    words.pattern(purpose.designName, purpose.upstream.length),
  ];
}

function writeChecks({ designName, upstream }: PurposeOf<'agent'>, words: AgentWords) {
  const answered = upstream.filter(({ status }) => status === 'success');
  return [
    `## ${words.checksTitle(designName)}`,
    ...words.checks.map(
      (check) => `- [${answered.length > 0 ? 'x' : ' '}] ${check}: ${verdict(answered, words)}`,
    ),
    ...upstream
      .filter(({ status }) => status === 'failed')
      .map(({ agent_name }) => `- [ ] ${words.missing(agent_name)}`),
  ];
}

function verdict(answered: readonly AgentResult[], words: AgentWords): string {
  return answered.length > 0 ? words.pass(answered.length) : words.nothing;
}

function writeSynthesis(purpose: PurposeOf<'agent'>, words: AgentWords) {
  const quotes = quotesOf(purpose);
  return [
    `## ${words.synthesisTitle(purpose.designName)}`,
    words.joined(quotes.length),
    ...quotes.map((quote) => `- ${quote}`),
    words.conclusion(purpose.designDescription),
  ];
}

function writeReport(purpose: PurposeOf<'agent'>, words: AgentWords) {
  const quotes = quotesOf(purpose);
  const findings =
    quotes.length === 0 ? [words.fromDescription(purpose.designDescription)] : quotes;
  return [
    `# ${words.reportTitle(purpose.designName)}`,
    '',
    `## ${words.summaryTitle}`,
    words.conclusion(purpose.designDescription),
    '',
    `## ${words.keyFindingsTitle}`,
    ...findings.map((finding) => `- ${finding}`),
    '',
    `## ${words.recommendationsTitle}`,
    ...numbered(words.recommendations),
  ];
}

function writeCustom(purpose: PurposeOf<'agent'>, words: AgentWords) {
  return [
    `## ${purpose.agentName}`,
    words.goal(purpose.agentDescription),
    words.done(purpose.designName, purpose.upstream.length),
    ...quotesOf(purpose).map((quote) => `- ${quote}`),
  ];
}

const QUOTE_CHARACTERS = 120;

/** One line per earlier output, without its own note, headings and marks. */
function quotesOf({ upstream, language }: PurposeOf<'agent'>): readonly string[] {
  return upstream
    .filter(({ status }) => status === 'success')
    .map(
      (upstreamOutput) =>
        `${upstreamOutput.agent_name} (${upstreamOutput.role}): ${quoteOf(upstreamOutput.content, language)}`,
    );
}

function quoteOf(content: string, language: Language): string {
  const lines = content
    .replaceAll(SIMULATED_NOTE[language], '')
    .split('\n')
    .filter((line) => line.trim() !== '' && !line.startsWith('#'))
    .map((line) => line.replace(/^\s*(?:[-*]|\d+\.)\s*/u, ''));
  return excerptOf(lines.join(' '), QUOTE_CHARACTERS);
}

function numbered(lines: readonly string[]): readonly string[] {
  return lines.map((line, index) => `${index + 1}. ${line}`);
}
