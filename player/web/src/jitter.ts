/** How long frames take to get here, and how much that varies: it decides how much has to be buffered. */

const WINDOW_MS = 8_000
const MAX_SAMPLES = 512
const QUANTILE = 0.98
const MIN_MARGIN_MS = 15
const MAX_MARGIN_MS = 1_000
/** How long after the first frame the burst of a late joiner may last. */
const JOIN_MS = 2_500
/** A transit shorter than all before by this much says that those were of the burst. */
const BURST_STEP_MS = 12
const SETTLED_SAMPLES = 4

interface Sample {
  readonly at: number
  readonly transit: number
}

/**
 * Measures transit (local time at which a frame is ready, less its capture time; it holds the difference of
 * the two clocks) over the last eight seconds.
 *
 * A late joiner is caught up by a burst: frames of long ago, each closer to live than the one before. They
 * say nothing about the network, and are left out as soon as a frame shows that it was nearer.
 */
export class Estimator {
  #samples: Sample[] = []
  #joinedAt: number | null = null
  #newest = -Infinity
  #base = Infinity
  #settled = false

  /** A frame captured at `captured` is ready at `at`; both in milliseconds. */
  add(at: number, captured: number): void {
    const transit = at - captured
    this.#joinedAt ??= at
    if (at - this.#joinedAt < JOIN_MS) {
      // The burst comes layer by layer: only what is nearer to live than all before tells something.
      if (captured <= this.#newest) return
      if (transit < this.#base - BURST_STEP_MS) this.#samples = []
    }
    this.#newest = Math.max(this.#newest, captured)
    this.#samples.push({ at, transit })
    const oldest = at - WINDOW_MS
    if (this.#samples.length > MAX_SAMPLES || (this.#samples[0]?.at ?? at) < oldest) {
      this.#samples = this.#samples.slice(-MAX_SAMPLES).filter((sample) => sample.at >= oldest)
    }
    this.#base = this.#samples.reduce((least, sample) => Math.min(least, sample.transit), Infinity)
    this.#settled ||= this.#samples.length >= SETTLED_SAMPLES
  }

  /** Whether the burst is over, so that the numbers mean something. */
  get settled(): boolean {
    return this.#settled
  }

  /** Smallest transit lately, milliseconds; `null` where no frame came yet. */
  get base(): number | null {
    return this.#samples.length === 0 ? null : this.#base
  }

  /** What has to be added to the base so that nearly every frame is in time, milliseconds. */
  get margin(): number {
    if (this.#samples.length < SETTLED_SAMPLES) return MIN_MARGIN_MS
    const sorted = this.#samples.map((sample) => sample.transit - this.#base).sort((a, b) => a - b)
    const spread = sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * QUANTILE))] ?? 0
    return Math.min(Math.max(spread + 5, MIN_MARGIN_MS), MAX_MARGIN_MS)
  }
}
