/** Pieces that, repeated, have made some expression somewhere slow, with what ends the text. */
const PIECES = [
  ...[' ', '\n', '\t', '\r\n', ' \n', '\u00a0', '\u200b', '\u3000'],
  ...['`', '```', '```json\n', '"', "'", '*', '_', '-', '~', '|', '\\'],
  ...['(', ')', '((', '()', '[', ']', '{', '}', '[{', '{"a":', '<', '>', '<div>', '</', '< '],
  ...['a', 'a-', 'a.', 'a@', 'A', '0', '1-', '01', '1.', '+', '%', '#', '&amp;', ';', ':', ','],
  ...['.', '!', '?', '/', '//', 'http://', 'https://a.', 'www.', 'a://b:', 'ftp://a@', '::', '1:'],
  ...['sk-', 'AIza', 'eyJ', 'eyJ-', 'eyJ.', 'eyJa.b', 'Bearer ', 'password='],
  ...[
    '가',
    '네 ',
    '안 ',
    '로 ',
    '은',
    '번',
    '첫 번째 ',
    '좋아요 ',
    '확인 ',
    '그리고 ',
    '지만 ',
    '이전 ',
  ],
  ...['서울 ', '서울시 강남구 ', '이름: ', '김', '010-', '길 1', '위의 '],
  ...[
    'one ',
    'the first ',
    'ok ',
    'not ',
    'because ',
    'but ',
    'no problem ',
    'will be ',
    'i think ',
  ],
  ...['ignore all ', 'ignore ', 'you are ', 'system ', 'system:', 'act as ', 'new ', 'jail '],
  ...[
    '<user',
    '<user ',
    '< u',
    '<agent_',
    '</web ',
    '［',
    '﷽',
    'ﷺ',
    '①',
    '😀',
    '\ud83d',
    '\udc00',
    'é',
  ],
  ...['\ue000d0\ue001', '\ue001', '\u0000', '\u0301', '은.', '에서.'],
] as const;

/** What stands before and after them, so that expressions begin, and fail late. */
const FRAMES: readonly (readonly [before: string, after: string])[] = [
  ['', ''],
  ['a', 'x!\u0001'],
];
/** Beginnings that expressions look for, each before each piece. */
const BEGINNINGS = [
  ...['```json', '"', '(', '[', '<', '<user', '</agent', '{"a":', 'http://', 'https://a.example/'],
  ...[
    'sk-',
    'eyJa.',
    'a://b:',
    'ignore all',
    'you are',
    'system',
    'pretend',
    'the first',
    'option',
  ],
  ...[
    'because',
    'ok',
    '2',
    '2번',
    '위의',
    '시스템',
    '서울',
    '이름:',
    '김',
    '좋아요',
    '\ue000d0\ue001',
    '#',
  ],
];

/** What stands behind those. */
const FILLERS = [' ', '\n', 'a', '(', '1', '가', '\u200b', 'a '];

export interface Family {
  readonly name: string;
  /** About `size` UTF-16 units. */
  of(size: number): string;
}

export const FAMILIES: readonly Family[] = [
  ...PIECES.flatMap((piece) => FRAMES.map((frame) => familyOf(piece, frame))),
  ...BEGINNINGS.flatMap((before) => FILLERS.map((piece) => familyOf(piece, [before, 'x']))),
];

function familyOf(piece: string, [before, after]: readonly [string, string]): Family {
  return {
    name: JSON.stringify(`${before}${piece}…${after}`),
    of: (size) => before + piece.repeat(Math.max(1, Math.floor(size / piece.length))) + after,
  };
}
