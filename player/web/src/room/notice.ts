/** The one notice that stands over the chat. */

import { readSpeaker, type Speaker } from './identity'
import { count, fields, text } from './json'

/** Characters that it may have. */
export const MAX_CHARS = 300

/** The notice that is up. */
export interface Notice extends Speaker {
  readonly at: number
  readonly text: string
}

export function readNotice(value: unknown): Notice | null {
  const notice = fields(value)
  const from = readSpeaker(notice)
  const said = text(notice.text)
  return from === null || said === null || said === '' ? null : { ...from, at: count(notice.at) ?? 0, text: said }
}
