/** Danmaku: bullet comments over the picture. */

import { readSpeaker, type Speaker } from './identity'
import { count, fields, text, word } from './json'

/** Characters that one may have. */
export const MAX_CHARS = 100

/** How one moves: from right to left, or it stands. */
export type Mode = 'scroll' | 'top' | 'bottom'

export const MODES = ['scroll', 'top', 'bottom'] as const
/** Colours that the viewer offers. */
export const COLORS = ['#ffffff', '#ff6b6b', '#ffd93d', '#7be495', '#6ecbff', '#d9a5ff'] as const

/** One object of the track `danmaku`. */
export interface Bullet extends Speaker {
  readonly message: number
  readonly at: number
  readonly text: string
  /** `#rrggbb`. */
  readonly color: string
  readonly mode: Mode
  /** Where in the broadcast its writer was, microseconds since the epoch. */
  readonly media: number | null
}

export function readBullet(value: unknown): Bullet | null {
  const bullet = fields(value)
  const from = readSpeaker(bullet)
  const message = count(bullet.message)
  const said = text(bullet.text)
  if (from === null || message === null || said === null) return null
  const color = text(bullet.color) ?? ''
  return {
    ...from,
    message,
    at: count(bullet.at) ?? 0,
    text: said,
    color: /^#[0-9a-f]{6}$/i.test(color) ? color : '#ffffff',
    mode: word(bullet.mode, MODES, 'scroll'),
    media: count(bullet.media),
  }
}
