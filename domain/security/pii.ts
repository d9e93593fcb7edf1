/** Personal data of people in Korea, found in collected pages and replaced. */

/** Source: contract, pipeline §3.3. */
export const PII_TYPES = [
  'phone',
  'email',
  'ssn',
  'card_number',
  'name_pattern',
  'address',
] as const;
export type PiiType = (typeof PII_TYPES)[number];

export interface MaskedText {
  readonly text: string;
  /** Which kinds were found, in the order of `PII_TYPES`. */
  readonly found: readonly PiiType[];
}

interface Mask {
  readonly type: PiiType;
  readonly placeholder: string;
  readonly regex: RegExp;
  /** What only looks like it; default: nothing. */
  readonly isReal?: (match: string) => boolean;
  /** What of the match stays in front of the placeholder; default: nothing. */
  readonly keep?: RegExp;
}

const SURNAMES =
  '김이박최정강조윤장임한오서신권황안송류유전홍고문양손배백허남심노하곽성차주우구민진지엄채원천방공현함변염여추도소석선설마길연위표명기반라왕금옥육인맹제모탁국어은편용';

const NO_DIGIT_BEFORE = String.raw`(?<![\d.-])`;
const NO_DIGIT_AFTER = String.raw`(?!-?\d)`;

/** Every quantifier is bounded, so that no page takes long. The longest numbers come first. */
const MASKS: readonly Mask[] = [
  {
    type: 'email',
    placeholder: '[EMAIL]',
    regex:
      /(?<![\w.+-])[a-z0-9][\w.+-]{0,63}@(?:[a-z0-9](?:[a-z0-9-]{0,62})\.){1,8}[a-z]{2,24}(?![\w-])/giu,
  },
  {
    type: 'card_number',
    placeholder: '[CARD_NUMBER]',
    regex: digits(
      String.raw`(?:\d{4}[ -]?\d{4}[ -]?\d{4}[ -]?\d{4}|3[47]\d{2}[ -]?\d{6}[ -]?\d{5})`,
    ),
    isReal: hasLuhnSum,
  },
  {
    type: 'ssn',
    placeholder: '[SSN]',
    regex: digits(
      String.raw`\d{2}(?:0[1-9]|1[0-2])(?:0[1-9]|[12]\d|3[01]) ?[-–]? ?[1-8](?:\d{6}|\*{6})`,
    ),
  },
  {
    type: 'phone',
    placeholder: '[PHONE]',
    regex: digits(
      String.raw`(?:(?:\+|00)82[ .-]?\(?0?\)?(?:2|[3-6]\d|70|80|1[016-9])[ .-]?\d{3,4}[ .-]?\d{4}` +
        String.raw`|\(?0(?:2|[3-6][1-5]|70|80|50\d|1[016-9])\)?[ .-]?\d{3,4}[ .-]?\d{4}` +
        String.raw`|1[568]\d{2}[.-]\d{4})`,
    ),
  },
  {
    type: 'address',
    placeholder: '[ADDRESS]',
    regex: koreanAddress(),
  },
  {
    type: 'name_pattern',
    placeholder: '[NAME]',
    regex:
      /(?:이름|성명|성함|담당자|대표자?|작성자|예금주|수령인|수취인|고객명|주문자|신청인)[ \t]{0,3}[:：][ \t]{0,3}[가-힣]{2,4}(?![가-힣])/gu,
    keep: /^.*[:：][ \t]*/u,
  },
  {
    type: 'name_pattern',
    placeholder: '[NAME]',
    regex: surnamed(String.raw`[가-힣]{2}(?=[ \t]?(?:씨|님|귀하)(?![가-힣]{2}))`),
    isReal: (match) => !NO_NAMES.has(match),
  },
];

/** Words that a title follows, and that begin like a surname. */
const NO_NAMES: ReadonlySet<string> = new Set([
  ...['이용자', '구매자', '신청자', '구독자', '주문자', '전문가', '전문의', '주치의'],
  ...['신랑신', '주인공', '이웃분', '구직자', '정회원', '준회원', '신규회', '우수회', '선배님'],
]);

/** Replaces personal data by placeholders. */
export function maskPii(text: string): MaskedText {
  const found = new Set<PiiType>();
  const masked = MASKS.reduce(
    (before, { type, placeholder, regex, isReal, keep }) =>
      before.replace(regex, (match) => {
        if (isReal?.(match) === false) {
          return match;
        }
        found.add(type);
        return `${keep?.exec(match)?.[0] ?? ''}${placeholder}`;
      }),
    text,
  );
  return { text: masked, found: PII_TYPES.filter((type) => found.has(type)) };
}

/** A number that is no part of a longer one. */
function digits(source: string): RegExp {
  return new RegExp(`${NO_DIGIT_BEFORE}${source}${NO_DIGIT_AFTER}`, 'gu');
}

/** Source: ISO/IEC 7812-1, annex B; a number without it is an order number or the like. */
function hasLuhnSum(text: string): boolean {
  const numbers = Array.from(text.replace(/\D/g, ''), Number).toReversed();
  const sum = numbers.reduce((total, digit, at) => {
    const weighted = at % 2 === 1 ? digit * 2 : digit;
    return total + (weighted > 9 ? weighted - 9 : weighted);
  }, 0);
  return sum % 10 === 0 && new Set(numbers).size > 1;
}

/** A family name and what follows it, at the beginning of a word. */
function surnamed(source: string): RegExp {
  return new RegExp(`(?<![가-힣])[${SURNAMES}]${source}`, 'gu');
}

/** Province or city, district, then a road with its number or a quarter with its lot. */
function koreanAddress(): RegExp {
  const province =
    '(?:서울|부산|대구|인천|광주|대전|울산|세종|경기|강원|충북|충남|전북|전남|경북|경남|제주|충청[북남]도|전라[북남]도|경상[북남]도)';
  const kind = '(?:특별자치시|특별자치도|특별시|광역시|시|도)?';
  const district = '(?:[ \\t]{1,3}[가-힣]{1,5}[시군구]){0,2}(?:[ \\t]{1,3}[가-힣]{1,5}[읍면])?';
  const number = '\\d{1,5}(?:-\\d{1,5})?';
  const road = `[가-힣0-9]{1,12}(?:로|길)[ \\t]{0,3}(?:${number}번?길[ \\t]{0,3})?${number}`;
  const lot = `[가-힣0-9]{1,8}(?:동|리|가)[ \\t]{1,3}(?:산[ \\t]?)?${number}(?:번지)?`;
  const rest = '(?:[ \\t]*(?:,[ \\t]*)?\\d{1,5}(?:동|층|호)){0,3}';
  return new RegExp(
    `(?<![가-힣])${province}${kind}${district}[ \\t]{1,3}(?:${lot}|${road})${rest}`,
    'gu',
  );
}
