/** Likes and other reactions: counted at the relay. */

import { count, fields } from './json'

/** Taps that one saying may carry. */
export const MAX_TAPS = 100

export const REACTIONS = ['like', 'clap', 'laugh', 'wow', 'party', 'confused'] as const
/** Which one. */
export type Reaction = (typeof REACTIONS)[number]
/** Numbers by reaction. */
export type Counts = Readonly<Partial<Record<Reaction, number>>>

/** One object of the track `reactions`: all that was tapped so far. */
export interface Tally {
  /** Taps since the room began. */
  readonly totals: Counts
  /** Those of them since the tally before. */
  readonly burst: Counts
}

export const NO_TALLY: Tally = { totals: {}, burst: {} }

export function readTally(value: unknown): Tally {
  const { totals, burst } = fields(value)
  return { totals: readCounts(totals), burst: readCounts(burst) }
}

function readCounts(value: unknown): Counts {
  const numbers = fields(value)
  const counts: Partial<Record<Reaction, number>> = {}
  for (const reaction of REACTIONS) {
    const number = count(numbers[reaction])
    if (number !== null) counts[reaction] = number
  }
  return counts
}
