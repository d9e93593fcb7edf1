import type { Intent } from '../../../domain/design/designs.js';
import { intentByRules } from '../../../domain/discussion/intents.js';
import type { Language } from '../../../domain/text/languages.js';
import { SIMULATED_MARK, excerptOf, outputName, taskName, type PurposeOf } from './purposes.js';

/** Work that the rules do not know but a model would recognise. */
const MORE_TASKS: readonly (readonly [task: string, words: RegExp])[] = [
  ['classification', /분류|classif|categori[sz]e/],
  ['data_analysis', /분석|통계|analy[sz]|statistic|trend|트렌드/],
  ['monitoring', /모니터링|감시|monitor|watch for|alert/],
  ['research', /조사|리서치|research|investigate/],
  ['content_creation', /작성|글쓰기|블로그|기사|write|draft|compose|blog|article/],
];

/** A task word alone ("report!") says too little. */
const FEWEST_LETTERS = { ko: 5, en: 10 } as const;

export function simulateIntent({ request, language }: PurposeOf<'intent'>): Intent {
  const found = intentByRules(request, language);
  const task = found.task === 'custom' ? furtherTask(request) : found.task;
  const letters = request.match(/[\p{Letter}\p{Number}]/gu)?.length ?? 0;
  const isClear = task !== 'custom' && letters >= FEWEST_LETTERS[language];
  const intent = { ...found, task };
  return {
    ...intent,
    needs_clarification: !isClear,
    clarification_questions: isClear ? [] : questionsFor(intent, language),
    confidence: isClear ? confidenceOf(intent) : 0.3,
    estimated_complexity: complexityOf(intent),
    summary: summaryOf(intent, { request, language }),
  };
}

function furtherTask(request: string): string {
  const lower = request.toLowerCase();
  return MORE_TASKS.find(([, words]) => words.test(lower))?.[0] ?? 'custom';
}

function complexityOf({ task, estimated_complexity }: Intent): Intent['estimated_complexity'] {
  const isWork = task === 'data_analysis' || task === 'research';
  return isWork && estimated_complexity === 'simple' ? 'standard' : estimated_complexity;
}

function confidenceOf({ source_type, output_format }: Intent): number {
  const known = [source_type !== 'none', output_format !== 'text'].filter(Boolean).length;
  return [0.75, 0.85, 0.95][known] ?? 0.75;
}

const QUESTIONS = {
  en: {
    task: 'Which work do you want done: for example an analysis, a comparison, a summary, a translation or a report?',
    source: 'Where is the material: a web page, files, an API, or in your message?',
    output: 'Which form should the result have: a report, a table, a chart, JSON or plain text?',
  },
  ko: {
    task: '어떤 작업을 원하세요? 예를 들어 분석, 비교, 요약, 번역, 보고서 작성이 있어요.',
    source: '자료는 어디에 있나요? 웹 페이지, 파일, API, 또는 메시지 안의 글인가요?',
    output: '결과는 어떤 형태가 좋을까요? 보고서, 표, 차트, JSON, 일반 글 중에서 골라 주세요.',
  },
} as const;

function questionsFor(intent: Intent, language: Language): readonly string[] {
  const questions = QUESTIONS[language];
  const [first = '', ...others] = [
    ...(intent.task === 'custom' ? [questions.task] : []),
    ...(intent.source_type === 'none' ? [questions.source] : []),
    ...(intent.output_format === 'text' ? [questions.output] : []),
    questions.task,
  ].slice(0, intent.task === 'custom' ? 3 : 1);
  return [`${SIMULATED_MARK[language]} ${first}`, ...others];
}

function summaryOf(
  intent: Intent,
  { request, language }: { request: string; language: Language },
): string {
  const goal =
    intent.task === 'custom'
      ? excerptOf(request, 50)
      : `${taskName(intent.task, language)} → ${outputName(intent.output_format, language)}`;
  return `${SIMULATED_MARK[language]} ${goal}: ${excerptOf(request, 80)}`;
}
