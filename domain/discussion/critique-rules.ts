import { critiqueTexts, type CritiqueTexts } from './critique-texts.js';
import type { Critique, Design, Intent } from '../design/designs.js';
import type { Language } from '../text/languages.js';

type Findings = {
  -readonly [
    Field in
      'weaknesses' | 'edge_cases' | 'security_concerns' | 'cost_concerns' | 'scalability_notes'
  ]: string[];
};

/** What the rules look at; the counts of one design beside the task. */
interface Subject {
  readonly design: Design;
  readonly complexity: string;
  readonly texts: CritiqueTexts;
  readonly hasRole: (...roles: string[]) => boolean;
}

/** Source: contract, discussion §6.3, on the scale of 1–10. */
const BASE_SCORE = 7;
const LOWEST = 1;
const HIGHEST = 10;
const DEFAULT_SCORE = 5;
const SOLID_FROM = 7;
const VIABLE_FROM = 4;
const STRONG_MODELS = ['gpt-4o', 'claude-sonnet-4-5-20250929'];
const CHEAP_MODEL = 'gpt-4o-mini';

/** A devil's advocate without a model: one critique per design, in the same order. */
export function critiquesByRules(
  designs: readonly Design[],
  intent: Intent,
  language: Language,
): readonly Critique[] {
  const texts = critiqueTexts(language);
  return designs.map((design) =>
    critiqueOf({
      design,
      complexity: intent.estimated_complexity,
      texts,
      hasRole: (...roles) => design.agents.some((agent) => roles.includes(agent.role)),
    }),
  );
}

/** A score as clients show it: within 1–10, two decimals; 5 where a model gave none. */
export function scoreOf(raw: number | undefined): number {
  const score = raw === undefined || Number.isNaN(raw) ? DEFAULT_SCORE : raw;
  return Math.round(Math.min(HIGHEST, Math.max(LOWEST, score)) * 100) / 100;
}

function critiqueOf(subject: Subject): Critique {
  const findings: Findings = {
    weaknesses: [],
    edge_cases: [],
    security_concerns: [],
    cost_concerns: [],
    scalability_notes: [],
  };
  const changes = [
    judgeSize(subject, findings),
    judgeValidation(subject, findings),
    judgeFit(subject, findings),
  ];
  noteCosts(subject, findings);
  noteSources(subject, findings);
  noteScale(subject, findings);
  noteModels(subject, findings);
  const score = scoreOf(changes.reduce((sum, change) => sum + change, BASE_SCORE));
  return {
    design_name: subject.design.name,
    ...findings,
    risks: [],
    overall_score: score,
    recommendation: recommendationOf(score, findings.weaknesses[0], subject.texts),
  };
}

function judgeSize({ design, texts }: Subject, findings: Findings): number {
  const { length } = design.agents;
  if (length < 2) {
    findings.weaknesses.push(texts.fewAgents);
    return -1;
  }
  if (length > 5) {
    findings.weaknesses.push(texts.manyAgents);
    findings.cost_concerns.push(texts.manyAgentsCost);
    return -0.5;
  }
  return 0;
}

function judgeValidation({ design, texts, hasRole }: Subject, findings: Findings): number {
  if (design.agents.length <= 1 || hasRole('validator')) {
    return 0;
  }
  findings.weaknesses.push(texts.noValidator);
  findings.edge_cases.push(texts.badInput);
  return -1;
}

function judgeFit({ design, complexity, texts }: Subject, findings: Findings): number {
  if (design.complexity === 'high' && complexity === 'simple') {
    findings.weaknesses.push(texts.overEngineered);
    return -1.5;
  }
  if (design.complexity === 'low' && complexity === 'complex') {
    findings.weaknesses.push(texts.tooSimple);
    return -1.5;
  }
  return 0;
}

function noteCosts({ design, texts }: Subject, findings: Findings): void {
  const strong = design.agents.filter((agent) => STRONG_MODELS.includes(agent.llm_model)).length;
  if (strong > 2) {
    findings.cost_concerns.push(texts.strongModels(strong));
  }
}

function noteSources({ texts, hasRole }: Subject, findings: Findings): void {
  if (hasRole('collector')) {
    findings.security_concerns.push(texts.externalData);
    findings.edge_cases.push(texts.sourceAway);
  }
}

function noteScale({ design, texts }: Subject, findings: Findings): void {
  if (design.agents.length > 3) {
    findings.scalability_notes.push(texts.canRunInParallel);
  }
  const { agents } = design;
  if (agents.length > 0 && agents.every((agent) => agent.llm_model === CHEAP_MODEL)) {
    findings.scalability_notes.push(texts.cheapAtVolume);
  }
}

function noteModels({ texts, hasRole }: Subject, findings: Findings): void {
  findings.edge_cases.push(texts.modelAway);
  if (!hasRole('critic', 'cross_checker')) {
    findings.edge_cases.push(texts.uncheckedClaims);
  }
}

function recommendationOf(
  score: number,
  weakness: string | undefined,
  texts: CritiqueTexts,
): string {
  if (score >= SOLID_FROM) {
    return weakness === undefined ? texts.solid : texts.solidBut(weakness);
  }
  return score >= VIABLE_FROM ? texts.viable : texts.needsWork;
}
