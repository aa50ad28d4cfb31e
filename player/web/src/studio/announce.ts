/** What a screen reader is told of the studio: what waits for somebody, in one sentence that changes seldom. */

import type { StudioStrings } from '../i18n/studio'
import type { Board } from '../room/board'

/** What waits for a moderator, in words; empty where nothing does. */
export function summary(text: StudioStrings, { desk, state }: Board): string {
  const waiting = desk?.waiting.length ?? 0
  const asked = desk?.questions.filter(({ stage }) => stage === 'asked').length ?? 0
  const words: string[] = []
  if (waiting > 0) words.push(text.announceWaiting(waiting))
  if (asked > 0) words.push(text.announceQuestions(asked))
  if (state.hands.length > 0) words.push(text.announceHands(state.hands.length))
  return words.join('. ')
}
