/** Why something was not taken, for people. */

import type { Strings } from '../i18n'
import type { Refusal } from '../room/say'

/** A refusal in words. */
export function refused(text: Strings, { why, seconds, max }: Refusal): string {
  const wait = Math.max(Math.ceil(seconds), 1)
  switch (why) {
    case 'tooFast':
    case 'busy':
      return text.waitSeconds(wait)
    case 'muted':
      return text.refusedMuted(wait)
    case 'banned':
      return text.refusedBanned
    case 'tooLong':
      return text.refusedLong(max)
    case 'blockedWord':
    case 'badText':
    case 'badLink':
    case 'emotesOnly':
    case 'membersOnly':
      return text.refusedText
    case 'off':
    case 'closed':
      return text.refusedOff
    case 'again':
      return text.refusedAgain
    case 'waiting':
      return text.refusedWaiting
    case 'unanswered':
      return text.refusedUnanswered
    default:
      return text.refusedOther
  }
}
