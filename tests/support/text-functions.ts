/** Every function that reads a text from outside, for the tests of how its cost grows. */
import { readBySchema } from '../../activities/answers/output-schema.js';
import { parseAnswer, unfenced } from '../../activities/answers/structured.js';
import { readEmail } from '../../api/routes/auth/email-schema.js';
import { parseJson } from '../../api/http/schemas/json.js';
import { readOperatorCookie } from '../../api/auth/operator-cookie.js';
import { printable } from '../../audit/timeline.js';
import { wellFormed } from '../../audit/canonical.js';
import { contentTypeOf } from '../../collector/media-types.js';
import { tidy } from '../../collector/tidy.js';
import { parseEndpointModel } from '../../domain/agents/endpoints.js';
import { agentPrefix } from '../../domain/agents/failures.js';
import { designInjection, promptFor } from '../../domain/agents/prompts.js';
import { isAllowed, parseAllowedAddresses } from '../../domain/security/allowed-addresses.js';
import {
  approvesInKorean,
  isKnownWord,
  plainPhrases,
  isKnownBesideNumber,
} from '../../domain/discussion/approval-words.js';
import {
  chooseDesign,
  isApproval,
  markedOf,
  namesDesign,
  readMarked,
} from '../../domain/discussion/approval.js';
import { isPlainNo, isPlainYes, isSoftWord } from '../../domain/discussion/choice-words.js';
import { answerOf, meantByYes, readChoice } from '../../domain/discussion/choices.js';
import { sourceUrlsOf } from '../../domain/collector/sources.js';
import { pageText, problemText } from '../../domain/collector/texts.js';
import { complexityOfModel } from '../../domain/design/complexity.js';
import { numericFieldsOf, parseCondition } from '../../domain/run/conditions.js';
import { hasAnswer, withoutThoughts } from '../../domain/agents/thoughts.js';
import { controlWordOf } from '../../domain/discussion/control-words.js';
import {
  crawlFailureIn,
  isPassingCrawlError,
  isRefusedCrawlError,
} from '../../domain/collector/crawl-failures.js';
import { beginningWithin, estimatedTokens } from '../../domain/agents/token-estimates.js';
import { unreadSource } from '../../domain/collector/unread-sources.js';
import { parseDesign } from '../../domain/design/parse.js';
import { aimOf, withEvidentAims } from '../../domain/design/aims.js';
import { markReferences, referencesIn, replaceMarks } from '../../domain/design/references.js';
import { checkDesigns, designsByRules } from '../../domain/design/rules.js';
import { quotedRequest, withoutQuotedRequest } from '../../domain/design/texts.js';
import { isTitle } from '../../domain/design/titles.js';
import { type Design, AGENT_DEFAULTS, type Intent } from '../../domain/design/designs.js';
import { critiquePrompt, designPrompt, intentPrompt } from '../../domain/discussion/prompts.js';
import { conversationIdIn, isUuid, pipelineIdIn } from '../../domain/ids.js';
import { intentByRules } from '../../domain/discussion/intents.js';
import { parseAddress, parseNetwork } from '../../domain/security/ip-addresses.js';
import { escapeTags, isolate } from '../../domain/security/isolator.js';
import { languageOf } from '../../domain/text/languages.js';
import { isLoopbackAddress, isLoopbackHost } from '../../domain/security/loopback-hosts.js';
import { foldLookAlikes, withoutInvisible } from '../../domain/security/look-alikes.js';
import {
  agree,
  ask,
  emptyMemory,
  memoryContext,
  prefer,
  resolve,
} from '../../domain/discussion/memory.js';
import { maskPii } from '../../domain/security/pii.js';
import { checkGraph } from '../../domain/run/pipeline.js';
import { previewOf } from '../../domain/text/previews.js';
import {
  isPrivateAddress,
  isPrivateHost,
  isPrivateUrl,
} from '../../domain/security/private-addresses.js';
import { piecesWithoutRemarks, remarkTextsOf } from '../../domain/design/remarks.js';
import { repairPrompt } from '../../domain/agents/repair-prompts.js';
import { findInjection } from '../../domain/security/sanitizer.js';
import { urlsIn } from '../../domain/collector/source-urls.js';
import {
  comparable,
  toStorableJson,
  toStorableNames,
  toStorableText,
} from '../../domain/text/storable-text.js';
import { summaryOf } from '../../domain/run/summaries.js';
import {
  planTurn,
  startDiscussionState,
  type DiscussionState,
} from '../../domain/discussion/state.js';
import { forkNameOf } from '../../domain/design/templates.js';
import { chunksOf, joinChunks } from '../../domain/text/chunks.js';
import {
  findSizeProblem,
  findTextProblem,
  findUnstorable,
  lengthOf,
} from '../../domain/text/problems.js';
import { spanIn } from '../../domain/traces.js';
import { withoutTrailingSlashes } from '../../domain/text/trailing-slashes.js';
import { findVendorByName } from '../../llm/routing/model-catalog.js';
import { promptTokensBound } from '../../llm/billing/token-estimate.js';
import { retryAfterOfHeaders } from '../../llm/providers/vendor-errors.js';
import { maskFields, maskText, pathForLog } from '../../telemetry/masking.js';
import { plain } from '../../workflows/markdown.js';

type ReadsText = (text: string) => unknown;

/** What `reads` does with a text of any length; the names are those of the functions. */
export const TEXT_FUNCTIONS: Readonly<Record<string, ReadsText>> = {
  readBySchema: (text) => readBySchema({ type: 'object', properties: {} }, text),
  parseAnswer,
  unfenced,
  readEmail,
  parseJson: (text) => attempt(() => parseJson(text)),
  readOperatorCookie,
  printable,
  wellFormed,
  contentTypeOf: (text) => contentTypeOf(text, 'web'),
  tidy,
  parseEndpointModel,
  agentPrefix: (text) => agentPrefix(text, 'en'),
  designInjection: (text) => designsOf(text).slice(0, 1).map(designInjection),
  promptFor: (text) => promptsFor(text),
  isAllowed: (text) => isAllowed([], { host: text, port: 1 }),
  parseAllowedAddresses,
  approvesInKorean: atMost(1_000, approvesInKorean),
  isKnownWord: atMost(1_000, isKnownWord),
  plainPhrases: atMost(1_000, plainPhrases),
  chooseDesign: (text) => chooseDesign(text, designsOf('a name')),
  markedOf: (text) => markedOf(text, designsOf('a name')),
  readMarked: atMost(1_000, readMarked),
  isPlainYes,
  isPlainNo,
  isSoftWord,
  readChoice: (text) => readChoice(text, designsOf('a name')),
  meantByYes: (text) => meantByYes(text, designsOf('a name')),
  answerOf: (text) => designsOf('a name').map((asked) => answerOf(text, asked, [asked])),
  isApproval: (text) => isApproval(text, designsOf('a name')),
  namesDesign: (text) => namesDesign(text, designsOf('a name')),
  sourceUrlsOf: (text) => designsOf(text).map((design) => sourceUrlsOf(design, 0)),
  pageText: (text) => pageText({ url: 'https://a.example', items: 1, text }, 'en'),
  crawlFailureIn,
  estimatedTokens,
  beginningWithin: (text) => beginningWithin(text, 1_000_000),
  unreadSource: (text) => unreadSource(text, { kind: 'failed', reason: text }),
  problemText: (text) => problemText('https://a.example', { kind: 'failed', reason: text }, 'en'),
  complexityOfModel,
  numericFieldsOf,
  withoutThoughts: (text) => withoutThoughts(`<think>${text}`),
  hasAnswer: (text) => hasAnswer(`<think>${text}`),
  parseCondition,
  controlWordOf,
  isPassingCrawlError,
  isRefusedCrawlError,
  parseDesign: (text) => designsOf(text).map((design) => parseDesign(design, 'client')),
  parseModelDesign: (text) => designsOf(text).map((design) => parseDesign(design, 'model')),
  parseStoredDesign: (text) => designsOf(text).map((design) => parseDesign(design, 'store')),
  findSizeProblem: (text) => findSizeProblem(text, { max: text.length }),
  findTextProblem: (text) => findTextProblem(text, { max: text.length }),
  findUnstorable,
  lengthOf,
  aimOf,
  withEvidentAims: (text) => withEvidentAims(designsOf(text), 'en'),
  markReferences: atMost(1_000, (text) =>
    markReferences(text, ['a name', 'other (fast)'], isKnownBesideNumber),
  ),
  namesOfDesigns: atMost(255, (text) =>
    markReferences('run it', [text, `${text} (fast)`], isKnownBesideNumber),
  ),
  referencesIn,
  replaceMarks: (text) => replaceMarks(text, ' '),
  checkDesigns: (text) => checkDesigns(designsOf(text)),
  designsByRules: (text) => designsByRules(anIntent, 'en', text),
  withoutQuotedRequest,
  quotedRequest: (text) => quotedRequest(text, 'ko', 'agent'),
  isTitle,
  intentPrompt: (text) => intentPrompt({ texts: [text, text], memory: text, language: 'en' }),
  designPrompt: (text) => designPrompt(promptInput(text)),
  critiquePrompt: (text) => critiquePrompt({ ...promptInput(text), feedback: text }),
  conversationIdIn,
  pipelineIdIn,
  isUuid,
  intentByRules: (text) => intentByRules(text, 'ko'),
  parseAddress,
  parseNetwork,
  escapeTags,
  isolate,
  languageOf: (text) => languageOf(text, 'en', ['a name', 'other (fast)']),
  languageOfNames: atMost(255, (text) => languageOf('hello', 'en', [text, text])),
  foldLookAlikes,
  withoutInvisible,
  agree: (text) => agree(emptyMemory(), text),
  ask: (text) => ask(emptyMemory(), text),
  prefer: (text) => prefer(emptyMemory(), text, text),
  resolve: (text) => resolve(ask(emptyMemory(), text), text, text),
  memoryContext: (text) => memoryContext({ ...emptyMemory(), agreements: [text] }),
  maskPii,
  checkGraph: (text) => designsOf(text).map((design) => checkGraph(design)),
  previewOf,
  isPrivateAddress,
  isPrivateHost,
  isPrivateUrl,
  isLoopbackHost,
  isLoopbackAddress,
  piecesWithoutRemarks,
  remarkTextsOf,
  repairPrompt: (text) => repairPrompt({ text, problems: [text], schema: { text } }, 'en'),
  findInjection,
  urlsIn,
  toStorableText,
  toStorableJson,
  toStorableNames: (text) => toStorableNames([text, `${text}\u0000`, `${text}\ud800`]),
  comparable,
  summaryOf,
  planTurn: (text) => planTurn(aTalk(), text, false),
  forkNameOf,
  chunksOf,
  joinChunks: (text) => joinChunks([text, text]),
  spanIn,
  withoutTrailingSlashes,
  findVendorByName,
  promptTokensBound: (text) => promptTokensBound({ messages: [{ role: 'user', content: text }] }),
  retryAfterOfHeaders: (text) =>
    attempt(() => retryAfterOfHeaders(new Headers({ 'retry-after': text }), 0)),
  maskFields: (text) => maskFields({ text, [text]: new Error(text) }),
  maskText: (text) => maskText(text, text.length),
  pathForLog,
  plain,
};

/** Of texts whose length their schema or their caller bounds: no longer ones come. */
function atMost(characters: number, reads: ReadsText): ReadsText {
  return (text) => reads(text.slice(0, characters));
}

function attempt(work: () => unknown): unknown {
  try {
    return work();
  } catch {
    return null;
  }
}

function promptsFor(text: string): unknown {
  const [design] = designsOf(text);
  const [agent] = design?.agents ?? [];
  return design === undefined || agent === undefined
    ? null
    : promptFor({ kind: 'custom', design, agent, upstream: [], edited: text, language: 'en' });
}

function promptInput(text: string) {
  const designs: readonly Design[] = designsOf('a name');
  const texts = [text, text];
  const language = 'en' as const;
  return {
    intent: anIntent,
    texts,
    feedback: texts,
    previous: designs,
    designs,
    memory: text,
    language,
    models: [text],
  };
}

function aTalk(): DiscussionState {
  const state = startDiscussionState('en');
  return {
    ...state,
    machine: { ...state.machine, state: 'debate' },
    designs: designsOf('a name'),
  };
}

const anIntent: Intent = {
  task: 'custom',
  source_type: 'none',
  source_hints: [],
  output_format: 'text',
  needs_clarification: false,
  clarification_questions: [],
  confidence: 1,
  estimated_complexity: 'simple',
  summary: '',
};

/** Three designs in which a text stands where their readers look first. */
function designsOf(text: string): readonly Design[] {
  const agent = { name: 'a', role: text, llm_model: 'b', description: 'c', ...AGENT_DEFAULTS };
  const design: Design = {
    name: text,
    description: 'd',
    agents: [{ ...agent, custom_prompt: text, is_custom_role: true }],
    pros: [],
    cons: [],
    estimated_cost: '',
    complexity: 'low',
    recommended: false,
    edges: [{ source: 'a', target: 'a', condition: text }],
    source_hints: [text],
  };
  return ['', ' two', ' three'].map((end) => ({ ...design, name: `${text}${end}` }));
}
