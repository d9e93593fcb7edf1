import { withoutInvisible } from '../security/look-alikes.js';
import { piecesWithoutRemarks } from './remarks.js';

/**
 * What people say in a conversation. A design of that name would be chosen, and run, by saying it:
 * a model that obeys what it reads could pass an approval by naming a design "continue".
 */
const SPOKEN_FIRST = new RegExp(
  '^(?:' +
    [
      'please|make|add|use|do|don|let|lets|can|could|should|would|will|keep|show|give|tell|take|put',
      'remove|change|replace|try|go|start|run|stop|cancel|continue|proceed|next|more|less|again|reset',
      'restart|retry|ok|okay|yes|yeah|no|nope|not|never|i|we|you|it|its|this|that|these|those|what|why|how',
      'which|who|when|where|is|are|cheaper|faster|better|simpler|shorter|longer|slower|too|thanks|thank',
      'hello|hi|hey|help|both|all|none|neither|either|one|two|three|first|second|third|last|sorry|wait',
      'option|design|number|plan|choice|alternative|proposal|good|great|nice|fine|perfect|bad|maybe|sure',
    ].join('|') +
    '|\\d+)\\b(?!-)',
  'u',
);
const SPOKEN = /\b(?:please|i|you|me|my|we|us)\b|[?!]/u;
const SPOKEN_KOREAN =
  /^(?:계속|다음|다시|더|그만|취소|네|예|응|아니|좋|괜찮|확인|선택|결정|승인|동의|이걸|이것|그걸|그것|이대로|그대로|안|못|왜|뭐|어떻게|감사|고마|처음|모두|전부|하나|둘|셋|첫|두|세|\d)|(?:요|죠|까|해|줘|래|자|니|다|게|세|걸로|으로)$/u;

/** Whether a name reads like a title and like nothing that is said in a talk about designs. */
export function isTitle(name: string): boolean {
  const visible = withoutInvisible(name.normalize('NFKC'));
  const plain = piecesWithoutRemarks(visible)
    .join(' ')
    .replace(/^[^\p{L}\p{N}]+/u, '')
    .replace(/(?<![^\p{L}\p{N}?!])[^\p{L}\p{N}?!]+$/u, '')
    .toLowerCase();
  return (
    /\p{L}/u.test(plain) &&
    !SPOKEN_FIRST.test(plain) &&
    !SPOKEN.test(plain) &&
    !SPOKEN_KOREAN.test(plain)
  );
}
