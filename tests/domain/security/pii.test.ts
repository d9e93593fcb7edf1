import { maskPii, type PiiType } from '../../../domain/security/pii.js';

test.each<[PiiType, string, string]>([
  ['phone', '전화 010-1234-5678 입니다', '전화 [PHONE] 입니다'],
  ['phone', '01012345678', '[PHONE]'],
  ['phone', '02-123-4567', '[PHONE]'],
  ['phone', '(031) 123-4567', '[PHONE]'],
  ['phone', '+82 10-1234-5678', '[PHONE]'],
  ['phone', '0082-2-123-4567', '[PHONE]'],
  ['phone', '고객센터 1588-1234', '고객센터 [PHONE]'],
  ['email', '문의: first.last+tag@mail.example.co.kr로', '문의: [EMAIL]로'],
  ['ssn', '주민번호 900101-1234567', '주민번호 [SSN]'],
  ['ssn', '0512314123456', '[SSN]'],
  ['ssn', '900101-1******', '[SSN]'],
  ['card_number', '4111-1111-1111-1111', '[CARD_NUMBER]'],
  ['card_number', '4111 1111 1111 1111', '[CARD_NUMBER]'],
  ['card_number', '378282246310005', '[CARD_NUMBER]'],
  ['name_pattern', '성명: 홍길동', '성명: [NAME]'],
  ['name_pattern', '담당자 : 김철수', '담당자 : [NAME]'],
  ['name_pattern', '홍길동님 안녕하세요', '[NAME]님 안녕하세요'],
  ['name_pattern', '김철수 씨', '[NAME] 씨'],
  ['address', '서울특별시 강남구 테헤란로 123', '[ADDRESS]'],
  ['address', '경기도 성남시 분당구 판교역로 146번길 20, 4층', '[ADDRESS]'],
  ['address', '제주도 서귀포시 중문동 123', '[ADDRESS]'],
  ['address', '(서울 종로구 종로1가 24번지)', '([ADDRESS])'],
])('%s: %s', (type, text, masked) => {
  expect(maskPii(text)).toEqual({ text: masked, found: [type] });
});

test.each([
  '2024-01-15 12:34:56',
  '1732012345678',
  '주문번호 12345678901234567890',
  '4111-1111-1111-1112',
  '가격 1,234,567원, 버전 1.2.3.4',
  '991341-1234567',
  'ISBN 978-89-1234-567-8',
  '고객님 선생님 회원님 이용자님 신청자님',
  '서울의 날씨는 맑고 부산은 흐립니다',
  'a@b, @mention, user@localhost',
])('%s is no personal data', (text) => {
  expect(maskPii(text)).toEqual({ text, found: [] });
});

test('what is found is named once, in one order', () => {
  const { text, found } = maskPii('a@b.example 010-1234-5678 c@d.example 성명: 홍길동');
  expect(text).toBe('[EMAIL] [PHONE] [EMAIL] 성명: [NAME]');
  expect(found).toEqual(['phone', 'email', 'name_pattern']);
});

test.each(['a', '1', '김', 'a@', 'a.', '서울 ', '0', 'a@a.', '서울 가구 ', '1234 ', '성명 ', ' '])(
  'a page full of "%s" is read in linear time',
  (unit) => {
    const startedAt = performance.now();
    maskPii(unit.repeat(Math.ceil(300_000 / unit.length)));
    expect(performance.now() - startedAt).toBeLessThan(10_000);
  },
);
