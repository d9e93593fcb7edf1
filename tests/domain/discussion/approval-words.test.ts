import fc from 'fast-check';
import { chooseDesign, isApproval } from '../../../domain/discussion/approval.js';
import { designsByRules } from '../../../domain/design/rules.js';
import { intentByRules } from '../../../domain/discussion/intents.js';

/** Three designs; the second is the recommended one. */
const designs = designsByRules(intentByRules('crawl the reviews', 'en'), 'en');

function rows(text: string): readonly string[] {
  return text
    .split(/[|\n]/u)
    .map((row) => row.trim())
    .filter((row) => row !== '');
}

const NEGATED = rows(`
  선택 안함 | 선택안함 | 선택 못함 | 결정못함 | 동의 못함 | 승인못함 | 승인 안됨 | 부동의 | 미동의 | 승인 불허
  승인 철회 | 동의 철회 | 선택 포기 | 선택 안 | 승인 안 | 선택 안해요 | 승인안해 | 동의안함 | 확인 안됨 | 확인불가
  결정 안 났어요 | 결정 안 됐어요 | 승인 거부 | 승인 취소 | 동의 거절 | 비동의 | 불승인 | 승인 반려 | 승인 기각
  선택 실패 | 선택 오류 | 이걸로 안 할래요 | 이걸로 못하겠어요 | 2번으로 안함 | 2번 못함 | 2번은 포기 | 좋아요 아님
  안좋아요 | 좋아요는 아니에요 | 괜찮지가 않네요 | 하나도 안 괜찮음 | 동의 철회할게요 | 됐어요 | 좋아요 취소
  nah good | nope, ok | nah | not a good one | good? no | ok no | okay never mind | never mind, ok | no ok
  I refuse to confirm | unable to confirm | failed to select | can not confirm | cant approve | disapprove
  unapproved | un-approved | not-ok | ok-not | disagree, ok | veto, ok | none selected, ok | choose none
  i don't agree | neither, ok | good grief | good luck | good lord | ok boomer | ok this is terrible
  ok that was awful | good riddance | no, not good, ok | I'm good | I'm good, thanks | i am ok | I'm all good
  good for you | 👎 | ok 👎 | 좋아요 👎 | good 🤔 | ok ❌ | 승인 🚫
`);

const POSTPONED = rows(`
  결정 유보 | 결정 미루자 | 내일 승인 | 다음에 확인 | 이따가 결정 | 승인 대기 | 승인 받아야 해 | 확인하는 중
  확인 후 결정 | 확인해 볼게요 | 결정해 볼게요 | will confirm | good, tomorrow | 결정 보류 | 결정 대기 중 | 승인 대기중
  승인 예정 | 승인할 예정이에요 | 선택 예정 | 검토 후 승인 | 팀장님 승인 필요 | 상사 승인 후 진행 | 승인 전 | 결정 전
  확인 전이에요 | 다음 주에 결정할게요 | 좀 있다가 선택할게요 | 이따 확인할게요 | 확인할게요 | 곧 결정할게요
  결정은 내일 | 좋아요, 내일요 | 좋아요, 내일 할게요 | 좋아요, 이따가요 | 선택 중 | 결정 중이에요 | 승인 요청 | 승인 요청할게요
  승인 받고 올게요 | 동의를 구해 볼게요 | 선택 고민 중 | 생각해 보고 선택할게요 | 확인 부탁드려요 | 확인 부탁
  확인해 주세요 | 확인해줘 | 좀 확인 | 더 확인 | 제가 확인 | 2번 확인 부탁해요 | 2번 확인해 주세요 | 좋아요, 고를게요
  고를게요 | 선택하고 싶어요 | 결정되면 알려드릴게요 | 결정하는 대로 | 좋아요 근데 | 좋아요, 근데... | 문제없으면 승인
  문제 없으면 좋아요 | 내일 하지만 좋아요 | 지금은 바쁘지만 좋아요 | 일단 좋아요 | 일단은 확인
  I will confirm | I'll confirm | we'll choose | I want to confirm | to confirm | going to approve | I would choose
  let's choose | let us choose | you choose | to be confirmed | to be approved | will be approved | be confirmed
  confirm tomorrow | ok tonight | ok next week | approve on Monday | good, later | ok in an hour | ok but
  good, however | ok after lunch | ok soon | confirm with my boss | waiting to confirm | pending, ok | ok, one moment
  ok hang on | ok, hang on | select soon | choose tomorrow | option 2 tomorrow | choose option 2 on Monday
  2, next week | 2번 내일 | 2번으로 내일 할게요 | 내일 2번으로 | ok because I can't decide
  승인 저 | 결정 이 | 승인 은 | 승인을 | 결정을 | 승인 주세요 | 선택 것 | ok is it | ok would be | it would be good
  it will be good | be good | want good | good start | good for a start | the two of us agree | I second that
`);

const SOMETHING_ELSE = rows(`
  좋아요 처음부터 | start over ok | ok start over | ok, start over | restart, ok | ok from scratch | ok redo
  좋아요 다시 | 좋아요, 다시 해줘 | 좋아요 처음부터 다시 | 2번 처음부터 | 괜찮은 사이트 찾아줘 | 괜찮은 걸로 찾아봐요
  좋은 게 없네 | 좋아요가 많은 글만 | 좋아요 수 | 좋아요 개수 | 좋아요 누른 사람 | 확인서 | 확인란 | 확인증 | 확인 버튼
  확인 사항 | 선택 사항 | 선택지 | 선택자 | 결정 장애 | 결정적인 문제 | 결정론적으로 | 승인자 | 승인번호 | 승인율
  동의서 | 동의율 | 동의어 | 이걸로만 | 이걸로는 | 이것으로는 모자라요 | 선택과 집중 | 선택 기준 | 선택 이유 | 확인용
  가격이 좋아요 | 속도는 괜찮아요 | 품질은 좋아요 | the price is good | The speed is ok | 2번도 좋아요
  both are good | both good | either is ok | ok alternative | ok, alternative please | a good alternative
  good idea, add a chart | ok google | ok computer | good night | good bye | good day | choose wisely | choose life
  select all | select none | select * from users | confirm the address | approve my expense | select a column
  good sites only | ok so the report is too short | ok I have a question | good, I have an idea | okay whatever
  ok ok ok too slow | ok try it with claude | sounds good in theory | good on paper | ok in principle | less good
  good but expensive | ok, expensive | 좋아요 그런데 비싸요 | 좋아요 하지만 느려요 | 좋기는 한데 | 좋긴 해요 | 좋았는데요
  좋아질까요 | 괜찮을까 | 좋아 보이는 것 | 좋아하는 것 | 승인이 뭐예요 | 결정이 어려움 | いいえ ok | не ok | ok 但是太慢
  2번 좋아요 수를 세어줘 | 2번 단계 확인 | 3번째 단계가 좋아요 | 2번 에이전트가 좋아요 | option 2 is terrible
  option 2 sucks | option 2 has a flaw | take 2 minutes | run 2 tests | use 3 sources | option 2 for the second step
`);

test.each([...NEGATED, ...POSTPONED, ...SOMETHING_ELSE])('"%s" starts no run', (text) => {
  expect(isApproval(text, designs)).toBe(false);
});

const APPROVALS = rows(`
  좋아 | 좋아요 | 좋아요. | 좋아요~ | 좋아요 ㅎㅎ | 네 좋아요 | 네, 좋아요! | 좋습니다 | 좋네요 | 아주 좋아요 | 정말 좋아요
  너무 좋아요 | 그래 좋아 | 좋은 것 같아요 | 괜찮은 것 같아요 | 괜찮아 | 괜찮아요 | 괜찮습니다 | 괜찮네요 | 네 괜찮아요
  확인 | 확인! | 확인요 | 확인했어요 | 확인 했습니다 | 네, 확인했습니다 | 선택 | 선택할게요 | 선택합니다 | 선택 할게요
  선택했어요 | 선택해 주세요 | 결정 | 결정했어요 | 결정 했어요 | 결정할게요 | 결정했습니다 | 이걸로 | 이걸로요 | 이걸로 할게요
  이걸로 선택할게요 | 이걸로 결정! | 이걸로 진행해 주세요 | 이것으로 | 이것으로 할게요 | 이것으로 진행해줘 | 이걸로 주세요 | 추천해주신 걸로 할게요 | 추천대로 해주세요 | 그걸로 할게요
  그걸로 해 주세요 | 이 설계로 할게요 | 이대로 가죠 | 승인 | 승인합니다 | 승인할게요 | 승인해 주세요 | 승인함 | 네 승인
  동의 | 동의해요 | 동의합니다 | 저는 동의합니다 | 동의함 | 확정할게요 | 진행해 주세요 | 진행 부탁드려요 | 실행해줘
  좋아요, 진행해 주세요 | 좋아요 감사합니다 | 좋아요 👍 | 문제없어요, 승인합니다 | 이의 없습니다, 동의해요 | 느리지만 괜찮아요
  조금 비싸지만 좋아요 | 가격도 괜찮아요, 승인합니다 | 이 설계가 좋아요
  ok | Ok. | OK!!! | okay | ok please | ok, thanks | ok then | ok now | yes ok | yes, good | good | Good! | very good
  all good | good enough | sounds good | looks good | that's good | that is ok | it's good | ok 👍 | 👍 ok | ok good
  ok, great | great, ok | confirm | confirmed | I confirm | please confirm | confirm please | confirm it | yes, confirm
  select | select it | select this | please select this one | choose | choose it | choose this | I choose this one
  approve | approved | I approve | agreed | I agree | lgtm | go ahead | please proceed | do it | yes, run it
  I'm ok with this | I'm good with that | it's a bit expensive but ok | slow, but good | good plan | perfect, confirm
`);

test.each(APPROVALS)('"%s" approves the recommended design', (text) => {
  expect(isApproval(text, designs)).toBe(true);
  expect(chooseDesign(text, designs)).toBe(designs[1]);
});

const THIRD = rows(`
  3 | 3! | 3번 | 3번이요 | 3번으로요 | 3번으로 | 3번으로 해줘 | 3번으로 해 주세요 | 3번 선택 | 3번 선택할게요 | 3번 승인
  3번으로 결정했어요 | 3번 확인 | 3번으로 확인해 주세요 | 3번이 좋아요 | 3번이 제일 좋아요 | 3번이 좋을 것 같아요 | 3번 괜찮아요
  3번으로 하고 싶어요 | 3번으로 가죠 | 세 번째 설계안으로 진행해 주세요 | 설계안 3 승인합니다 | 네, 3번으로 부탁드려요
  3번으로 진행할게요 | 3번으로 주세요 | 2번 철회, 3번으로 할게요 | 2번 안 하고 3번으로 할게요 | 저는 3번을 원해요 | 3번은 비싸지만 괜찮아요 | 3번으로 실행해 주세요
  option 3 | option 3, ok | ok, option 3 | Select option 3 | confirm option 3 please | I will choose option 3
  I'll take number 3 | the third one | the third one is good | 3 please | choose 3 | select 3 | good, 3 | 3 is great
  option 3 is the best | let's go with 3 | I want 3 | I'm good with option 3 | approve design 3 | agreed, option 3
  Advanced Multi-Agent Pipeline please | confirm the Advanced Multi-Agent Pipeline | 3 👍 | option 3 is expensive but ok
  I choose 3 because 1 isn't good | ok, take option 3 | I would like option 3 | 3 over 2 | not 1 and not 2. 3
`);

test.each(THIRD)('"%s" approves design 3', (text) => {
  expect(isApproval(text, designs)).toBe(true);
  expect(chooseDesign(text, designs)).toBe(designs[2]);
});

test('no approving word approves beside a word that is not understood', () => {
  const approval = fc.constantFrom(
    ...['좋아요', '괜찮아요', '확인', '선택할게요', '결정했어요', '이걸로', '승인', '동의'],
    ...['ok', 'good', 'confirm', 'select', 'choose', '2번', 'option 2', '2'],
  );
  const unknown = fc.constantFrom(
    '내일',
    '안함',
    '유보',
    'xyzzy',
    'terrible',
    'tomorrow',
    '보고서',
  );
  const gap = fc.constantFrom(' ', ', ', '. ', ' - ');
  fc.assert(
    fc.property(approval, unknown, gap, (word, other, between) => {
      expect(isApproval(`${word}${between}${other}`, designs)).toBe(false);
      expect(isApproval(`${other}${between}${word}`, designs)).toBe(false);
    }),
  );
});
