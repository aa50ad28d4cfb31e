/** Who is there, in numbers; raised hands; names. */

import { count, fields, text } from './json'

/** Characters of a name. */
export const MAX_NAME_CHARS = 24

/** How many there are. */
export interface Presence {
  /** Sessions that watch. */
  readonly watching: number
  /** Viewers with a voice, and how many came and went since the last word. */
  readonly present: number
  readonly joined: number
  readonly left: number
}

/** A hand that is up. */
export interface UpHand {
  readonly viewer: string
  readonly name: string
  readonly at: number
}

export const NOBODY: Presence = { watching: 0, present: 0, joined: 0, left: 0 }

export function readPresence(value: unknown): Presence {
  const { watching, present, joined, left } = fields(value)
  return { watching: count(watching) ?? 0, present: count(present) ?? 0, joined: count(joined) ?? 0, left: count(left) ?? 0 }
}

export function readHand(value: unknown): UpHand | null {
  const { viewer, name, at } = fields(value)
  const id = text(viewer)
  return id === null ? null : { viewer: id, name: text(name) ?? id, at: count(at) ?? 0 }
}
