/**
 * Where bullets run: which lane, from when to when. Pure; nothing ever overlaps.
 *
 * Each crosses in the same time, so a longer one moves faster. A lane is free when the one before has fully
 * entered and will have left before the new one reaches the far edge. Where no lane is free a bullet waits:
 * one's own first and for as long as it takes, then by rank, newer before older; the rest is dropped.
 */

import type { Mode } from '../room/danmaku'

const MAX_WAITING = 100
const MAX_WAIT_MS = 3_000
/** Distance between two in a lane, in pixels. */
const GAP = 24

/** Whose it is: one's own is never dropped. */
export type Rank = 'own' | 'host' | 'moderator' | 'viewer'

/** A bullet before it has a place. */
export interface Candidate {
  readonly id: number
  /** In pixels. */
  readonly width: number
  readonly mode: Mode
  readonly rank: Rank
}

/** A bullet in its place. */
export interface Placed extends Candidate {
  readonly lane: number
  readonly start: number
  /** When it is gone. */
  readonly end: number
}

/** The stage in numbers. */
export interface Stage {
  /** In pixels. */
  readonly width: number
  readonly lanes: number
  /** Milliseconds from edge to edge. */
  readonly crossing: number
  /** Milliseconds that one that stands is there. */
  readonly standing: number
}

const RANKS: readonly Rank[] = ['own', 'host', 'moderator', 'viewer']

/** Assigns lanes. */
export class Lanes {
  /** Those that found no place in time. */
  dropped = 0
  #stage: Stage
  #placed: Placed[] = []
  #waiting: (Candidate & { readonly since: number })[] = []

  constructor(stage: Stage) {
    this.#stage = stage
  }

  /** Those that are on stage. */
  get placed(): readonly Placed[] {
    return this.#placed
  }

  /** Those that wait for room. */
  get waiting(): readonly Candidate[] {
    return this.#waiting
  }

  /** How many lanes there are. */
  get lanes(): number {
    return this.#stage.lanes
  }

  /** Another size or speed: the stage is cleared where what runs on it would collide. */
  restage(stage: Stage): void {
    const { width, lanes, crossing } = this.#stage
    if (width !== stage.width || lanes !== stage.lanes || crossing !== stage.crossing) this.#placed = []
    this.#stage = stage
  }

  /** Takes one in; it is placed when there is room. */
  put(now: number, candidate: Candidate): void {
    this.#waiting.push({ ...candidate, since: now })
    this.#waiting.sort((a, b) => RANKS.indexOf(a.rank) - RANKS.indexOf(b.rank) || b.since - a.since)
    if (this.#waiting.length <= MAX_WAITING) return
    this.#waiting.pop()
    this.dropped += 1
  }

  /** Takes one away, wherever it is. */
  remove(id: number): void {
    this.#waiting = this.#waiting.filter((one) => one.id !== id)
    this.#placed = this.#placed.filter((one) => one.id !== id)
  }

  /** Those that begin now. */
  poll(now: number): readonly Placed[] {
    this.#placed = this.#placed.filter(({ end }) => end > now)
    const begun: Placed[] = []
    this.#waiting = this.#waiting.filter((candidate) => {
      const placed = this.#place(now, candidate)
      if (placed !== null) {
        this.#placed.push(placed)
        begun.push(placed)
        return false
      }
      if (candidate.rank === 'own' || now - candidate.since < MAX_WAIT_MS) return true
      this.dropped += 1
      return false
    })
    return begun
  }

  /** Left edge of one that is on stage, in pixels. */
  left(now: number, { mode, width, start }: Placed): number {
    if (mode !== 'scroll') return (this.#stage.width - width) / 2
    return this.#stage.width - (now - start) * this.#speed(width)
  }

  #place(now: number, { id, width, mode, rank }: Candidate): Placed | null {
    const { lanes, crossing, standing } = this.#stage
    const end = now + (mode === 'scroll' ? crossing : standing)
    for (let at = 0; at < lanes; at++) {
      const lane = mode === 'bottom' ? lanes - 1 - at : at
      if (this.#isFree(now, lane, mode, width)) return { id, width, mode, rank, lane, start: now, end }
    }
    return null
  }

  #isFree(now: number, lane: number, mode: Mode, width: number): boolean {
    const there = this.#placed.filter((one) => one.lane === lane)
    if (mode !== 'scroll') return there.length === 0
    const arrives = now + this.#stage.width / this.#speed(width)
    return there.every((one) => {
      if (one.mode !== 'scroll') return false
      const hasEntered = this.left(now, one) + one.width + GAP <= this.#stage.width
      return hasEntered && one.end <= arrives
    })
  }

  /** Pixels a millisecond. */
  #speed(width: number): number {
    return (this.#stage.width + width) / this.#stage.crossing
  }
}
