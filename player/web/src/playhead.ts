/**
 * Where playback is: which capture time is presented at which local time.
 *
 * The delay between the two follows what the network needs and what the viewer wants, gently by playing a
 * little faster or slower, or at once where it is far off. While sound plays it is the master: its measured
 * delay is the delay.
 */

const MAX_RATE_CHANGE = 0.08
const DEAD_BAND_MS = 8
const JUMP_MS = 800
const AUDIO_HOLDS_MS = 400
const MAX_CREDIBLE_TRANSIT_MS = 10_000

/** What a track needs to be in time. */
export interface Need {
  /** Smallest transit, milliseconds; holds the difference of the clocks. */
  readonly base: number
  /** What is added for jitter, decoding and output, milliseconds. */
  readonly margin: number
}

/** The media clock. Times are milliseconds. */
export class Playhead {
  #delay: number | null = null
  #desired: number | null = null
  #target: number
  #tickedAt = 0
  #audioUntil = -Infinity

  /** @param target end-to-end latency that the viewer or the streamer wants. */
  constructor(target: number) {
    this.#target = target
  }

  /** Capture time presented at `now`; `null` before anything came. */
  mediaTime(now: number): number | null {
    return this.#delay === null ? null : now - this.#delay
  }

  /** Present delay. */
  get delay(): number | null {
    return this.#delay
  }

  /** Delay that playback moves to. */
  get desired(): number | null {
    return this.#desired
  }

  /** How far playback is behind where it could be. */
  get behind(): number {
    return this.#delay === null || this.#desired === null ? 0 : this.#delay - this.#desired
  }

  /** The speed that brings the delay to where it should be: 1 is natural. */
  get rate(): number {
    const behind = this.behind
    if (Math.abs(behind) < DEAD_BAND_MS) return 1
    return 1 + Math.min(Math.max(behind / 2_000, -MAX_RATE_CHANGE), MAX_RATE_CHANGE)
  }

  /** Sets the wanted latency. */
  retarget(target: number): void {
    this.#target = target
  }

  /** Tells what the tracks need at present. */
  require(needs: readonly Need[]): void {
    if (needs.length === 0) return
    const need = Math.max(...needs.map(({ base, margin }) => base + margin))
    const base = Math.min(...needs.map((track) => track.base))
    const clocksAgree = base > -50 && base < MAX_CREDIBLE_TRANSIT_MS
    this.#desired = Math.max(need, this.#target + (clocksAgree ? 0 : base))
  }

  /** The sound that is heard at `now` was captured `delay` ago. */
  heard(delay: number, now: number): void {
    this.#audioUntil = now + AUDIO_HOLDS_MS
    this.#tickedAt = now
    if (this.#delay === null || Math.abs(delay - this.#delay) > 60) this.#delay = delay
    else this.#delay += (delay - this.#delay) * 0.2
  }

  /** Whether sound is the master at present. */
  audioLeads(now: number): boolean {
    return now < this.#audioUntil
  }

  /** Moves on to `now`, towards the wanted delay; returns whether it jumped. */
  tick(now: number, pace: 'gently' | 'at-once' = 'gently'): boolean {
    const elapsed = Math.max(now - this.#tickedAt, 0)
    this.#tickedAt = now
    if (this.#desired === null) return false
    if (this.#delay === null) {
      this.#delay = this.#desired
      return true
    }
    if (this.audioLeads(now)) return false
    if (pace === 'at-once' || Math.abs(this.behind) > JUMP_MS) {
      this.#delay = this.#desired
      return true
    }
    const step = (this.rate - 1) * elapsed
    this.#delay -= Math.abs(step) > Math.abs(this.behind) ? this.behind : step
    return false
  }

  /** Goes to the wanted delay at once. */
  jump(): void {
    if (this.#desired !== null) this.#delay = this.#desired
    this.#audioUntil = -Infinity
  }

  /** Forgets where it was: playback starts anew. */
  reset(): void {
    this.#delay = null
    this.#desired = null
    this.#audioUntil = -Infinity
  }
}
