import { foldLookAlikes, withoutInvisible } from './look-alikes.js';

/**
 * Recognises attempts to talk a model out of its instructions. It changes nothing; a hit refuses
 * the text. Source: contract, security §7; every pattern listed there hits, also when particles,
 * look-alike letters, invisible characters or line breaks are put in between.
 */
interface Pattern {
  readonly name: string;
  readonly regex: RegExp;
  /** Says of a hit that it is harmless, by what stands before and after it. */
  readonly isHarmless?: (before: string, after: string) => boolean;
}

/**
 * Between two words; also Markdown emphasis and quotes, which hide nothing from a model. Bounded,
 * so that no message takes long to read; runs of space are closed up before.
 */
const GAP = '[\\s*_"\'`~-]{1,12}';
const MAYBE = '[\\s*_"\'`~-]{0,6}';
/** Korean takes a comma or a middle dot there as well. */
const KOREAN_MAYBE = '[\\s*_"\'`~,·ㆍᆞ-]{0,6}';
const FILLERS = `(?:(?:all|any|and|every|of|the|these|those|my|your|our)${GAP}){0,4}`;

function english(source: string): RegExp {
  return new RegExp(source.replaceAll(' ', GAP), 'giu');
}

function korean(source: string): RegExp {
  return new RegExp(source.replaceAll(' ', KOREAN_MAYBE), 'gu');
}

/** What filters and rules of a model are called; those of style sheets or mailboxes are not meant. */
const GUARDING =
  '(?:content|safety|security|moderation|ethical|ethics|output|input|prompt|model|ai|internal|built-in|default|system)';

const PATTERNS: readonly Pattern[] = [
  {
    name: 'ignore-instructions',
    regex: english(
      `(?:ignore|forget|disregard) ${FILLERS}(?:previous|above|prior) (?:\\p{L}+ )?(?:instruction|prompt|rule)`,
    ),
  },
  { name: 'you-are-now', regex: english("\\byou(?: are|['’]re) now (?:a|an|the)[\\s*_\"'`~-]") },
  {
    name: 'new-instructions',
    regex: english(`\\bnew (?:instruction|rule|prompt|system)s?${MAYBE}:`),
  },
  {
    name: 'system-prefix',
    regex: new RegExp(`(?<![a-z])system${MAYBE}:`, 'giu'),
    isHarmless: (before, after) => isKindOfSystem(before) || isRecord(before, after),
  },
  {
    name: 'override-safety',
    regex: english(
      `(?:override|bypass|disable) ${FILLERS}(?:${GUARDING} )?(?:safety|filter|restriction|rule)`,
    ),
  },
  { name: 'pretend', regex: english("\\bpretend (?:to be|you are|you're)\\b") },
  { name: 'act-as', regex: english('\\bact as (?:if|a|an)(?![a-z])') },
  { name: 'jailbreak', regex: /jail[\s_-]?break/giu },
  { name: 'dan-mode', regex: english('\\bDAN mode(?![a-z])') },
  { name: 'fenced-system', regex: /`\s?`\s?`\s?system/gu },
  { name: 'system-delimiter', regex: /<\s?\|\s?system\s?\|\s?>/giu },
  { name: 'inst-delimiter', regex: /\[\s?\/?\s?I\s?N\s?S\s?T\s?\]/gu },
  { name: 'im-start-delimiter', regex: /<\s?\|\s?im\s?_\s?start\s?\|\s?>/giu },
  {
    name: 'ko-ignore-instructions',
    regex: korean(
      '(?:이전|위|앞)(?:의|에서?)? (?:(?:받은|준|내린|했던|적은|적힌|쓰인|있는|주어진|말한|모든|나온) ){0,2}' +
        '(?:지시|명령|규칙|프롬프트)(?:사항|문|어|들|내용)* (?:을|를|은|는|도|만|따위는)? ' +
        '(?:(?:모두|다|전부|싹|완전히|전혀|그냥|이제) ){0,2}(?:무시|잊어|잊으|잊고|취소)',
    ),
    isHarmless: (_before, after) => /^하지\s*(?:마|말|않)/u.test(after),
  },
  {
    name: 'ko-system-prompt',
    regex: korean(
      '시스템 (?:의)? 프롬프트 (?:의)? (?:내용|설정|전체)? (?:을|를|은|는|도|만)? ' +
        '(?:(?:모두|다|전부|싹|완전히|그냥) )?(?:변경|수정|무시|바꿔|바꾸|잊어)',
    ),
  },
  {
    name: 'ko-you-are-now',
    regex: korean('(?<!\\p{L})너(?:는|가|도)? 이제 (?:부터)?'),
    isHarmless: (_before, after) => isTask(after),
  },
  {
    name: 'ko-change-role',
    regex: korean('역할 (?:을|를|만|도)? (?:(?:좀|완전히|당장|지금|이제) )?바꿔'),
    isHarmless: isRoleOfOthers,
  },
];

/** The names of the patterns that occur in the text; none: it is safe. */
export function findInjection(text: string): readonly string[] {
  const folded = foldLookAlikes(text);
  const readings = new Set(
    [text, folded, withoutInvisible(folded), withoutInvisible(folded, ' ')].map(closeUp),
  );
  return PATTERNS.filter((pattern) => [...readings].some((one) => occurs(pattern, one))).map(
    (pattern) => pattern.name,
  );
}

function closeUp(text: string): string {
  return text.replace(/\s{2,}/gu, (space) => (/[\r\n]/u.test(space) ? '\n' : ' '));
}

function occurs({ regex, isHarmless }: Pattern, text: string): boolean {
  for (const hit of text.matchAll(regex)) {
    const end = hit.index + hit[0].length;
    const before = text.slice(Math.max(0, hit.index - 120), hit.index);
    if (isHarmless?.(before, text.slice(end, end + 200)) !== true) {
      return true;
    }
  }
  return false;
}

/** Words that say which system is meant: "operating system: Linux" describes one. */
const KINDS = new Set(
  (
    'a an the my our your their his her its this that each which what target source legacy host ' +
    'existing current old file computer embedded backend database school solar immune nervous ' +
    'support home sound air alarm cloud web crm erp pos hr email mail core main type name design ' +
    'linux unix windows android audio video stereo sale sales energy water transit transport metric ' +
    'health tax school voice data storage search chat ticket network client smart control content ' +
    'commerce library hotel bank car phone camera exhaust light game score point points class'
  ).split(' '),
);

/** Endings of such words: operating, management, recommendation, medical, integrated, security. */
const KIND_ENDING = /(?:ing|ment|tion|sion|al|ed|ic|ity|ery|ory|er|or)$/u;

function isKindOfSystem(before: string): boolean {
  const word = /(?<![a-z])([a-z]+)[ \t-]+$/iu.exec(before)?.[1]?.toLowerCase();
  return word !== undefined && (KINDS.has(word) || KIND_ENDING.test(word));
}

/** A line of a log: its time or its level stands before. */
const LOG_LINE =
  /(?:^|\n)[^\n]{0,40}?(?:\d{4}-\d\d-\d\d|\d\d:\d\d:\d\d|\b(?:TRACE|DEBUG|INFO|NOTICE|WARN|WARNING|ERROR|FATAL|kernel|systemd)\b)[^\n]*$/u;
/** `file_system`, `spec.system`: a part of a name that programs use. */
const PART_OF_NAME = /[a-z\d][_./]$/iu;
/** Settings, one a line: what stands behind each is no sentence. */
const SETTINGS = /^[ \t]*(?:\n-? ?["']?[\w.-]{1,40}["']?:(?: [^\s]{1,60}){0,3}(?=\n|$)){1,20}/u;
/** Said to a model, not noted of a machine. */
const SAID_TO_A_MODEL =
  /\b(?:you|your|ignore|disregard|forget|instructions?|prompts?|rules?|pretend|act|reveal|obey|must|respond|answer|reply|output|print|secrets?|role|assistant|user|content|from now on)\b|무시|지시|규칙|너는|당신|역할|답해/iu;

/** Pasted logs and YAML name a system as well; an order to a model hidden in them stays one. */
function isRecord(before: string, after: string): boolean {
  const settings = SETTINGS.exec(after)?.[0];
  if (settings !== undefined) {
    return !SAID_TO_A_MODEL.test(settings) && !SAID_TO_A_MODEL.test(after.slice(settings.length));
  }
  const line = /^[^\n]*/u.exec(after)?.[0] ?? '';
  const isNoted = LOG_LINE.test(before) || PART_OF_NAME.test(before);
  return isNoted && !SAID_TO_A_MODEL.test(line);
}

/** What follows "너는 이제" where it only asks for work: "너는 이제 리뷰를 요약해 줘". */
const TASK =
  /분석|요약|번역|비교|수집|정리|보고서|리포트|설계|작성|추천|검색|설명|실행|진행|보여|쉬|그만|끝|가도|알려|답해|만들|그려|모아|찾아|골라|계산|시작|(?:뭘|무엇을|뭐) 할/u;
const ROLE =
  /야(?![기근])|이다|입니다|이에요|예요|처럼|역할|척|로서|모드|무시|잊|규칙|지시|프롬프트|제한|되어|돼라|행동|없이|무조건|무엇이든|뭐든|모든 질문|내 말|시키는|복종|자유롭|거침|필터/u;

/** "검증자의 역할을 바꿔 줘" is about a design; whose role it is stands before, if it is not the model's. */
function isRoleOfOthers(before: string): boolean {
  const owner = /(?<!\p{L})(\p{L}+?)들?의?\s*$/u.exec(before)?.[1];
  const isNamed = owner !== undefined && /(?:의\s*|에이전트들?\s*)$/u.test(before);
  return isNamed && !OF_THE_MODEL.test(owner);
}

const OF_THE_MODEL =
  /(?:너|네|니|넌|당신|그대|자신|자기|본인|ai|모델|시스템|어시스턴트|비서|챗봇|봇|gpt|claude|gemini)$/iu;

function isTask(after: string): boolean {
  const sentence = /^[^.!?\n]*/u.exec(after)?.[0] ?? '';
  return TASK.test(sentence) && !ROLE.test(sentence);
}
