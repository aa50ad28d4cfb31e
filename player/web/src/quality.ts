/** Which rendition to watch: by hand, or by what the screen can show and the machine and network can do. */

import type { VideoTrack } from './catalog'

const CLEAN_BEFORE_UP_MS = 8_000
const MAX_CLEAN_BEFORE_UP_MS = 120_000
const SETTLE_MS = 2_500
const BAD_SECONDS = 2

/** What one second of playback was like. */
export interface Second {
  /** Frames that should have been shown. */
  readonly expected: number
  /** Frames of these that were late, lost or could not be decoded in time. */
  readonly missed: number
  /** Whether playback stood still in it. */
  readonly stalled: boolean
}

/** The automatic choice. Times are milliseconds. */
export class Chooser {
  #ladder: readonly VideoTrack[] = []
  #index = 0
  #bad = 0
  #cleanSince = 0
  #changedAt = -Infinity
  #patience = CLEAN_BEFORE_UP_MS
  #wentUpAt = -Infinity

  /** Takes the renditions of a broadcast and the pixels there are to show them on. */
  offer(tracks: readonly VideoTrack[], viewport: { readonly width: number; readonly height: number }, now: number): void {
    const before = this.#ladder[this.#index]?.name
    this.#ladder = [...tracks].sort((a, b) => a.width * a.height - b.width * b.height || a.bitrate - b.bitrate)
    const kept = this.#ladder.findIndex((track) => track.name === before)
    if (kept >= 0) this.#index = kept
    else {
      this.#index = this.#fitting(viewport)
      this.#cleanSince = now
      this.#patience = CLEAN_BEFORE_UP_MS
    }
  }

  /** The rendition to watch; `null` where there is none. */
  get choice(): VideoTrack | null {
    return this.#ladder[this.#index] ?? null
  }

  /** Judges a second of playback; returns whether the choice changed. */
  judge(second: Second, viewport: { readonly width: number; readonly height: number }, now: number): boolean {
    if (now - this.#changedAt < SETTLE_MS) return false
    const poor = second.stalled || (second.expected >= 5 && second.missed / second.expected > 0.15)
    this.#bad = poor ? this.#bad + 1 : 0
    if (poor) this.#cleanSince = now
    if (this.#bad >= BAD_SECONDS && this.#index > 0) {
      const failedUp = now - this.#wentUpAt < 2 * CLEAN_BEFORE_UP_MS
      if (failedUp) this.#patience = Math.min(this.#patience * 2, MAX_CLEAN_BEFORE_UP_MS)
      return this.#go(this.#index - 1, now)
    }
    const room = this.#index < this.#fitting(viewport)
    if (room && now - this.#cleanSince >= this.#patience) {
      this.#wentUpAt = now
      return this.#go(this.#index + 1, now)
    }
    return false
  }

  /** The viewer joined, jumped or chose another latency at `now`: what is missed by that is nobody's fault. */
  excuse(now: number): void {
    this.#changedAt = now
    this.#bad = 0
  }

  #go(index: number, now: number): boolean {
    this.#index = index
    this.#changedAt = now
    this.#cleanSince = now
    this.#bad = 0
    return true
  }

  /** The smallest rendition that fills the viewport, or else the largest. */
  #fitting(viewport: { readonly width: number; readonly height: number }): number {
    if (viewport.width === 0 || viewport.height === 0) return Math.max(this.#ladder.length - 1, 0)
    const fits = (track: VideoTrack): boolean =>
      track.width >= viewport.width * 0.9 || track.height >= viewport.height * 0.9
    const index = this.#ladder.findIndex(fits)
    return index >= 0 ? index : Math.max(this.#ladder.length - 1, 0)
  }
}
