/** How long frames take to get here, and how much that varies: it decides how much has to be buffered. */

const WINDOW_MS = 8_000
const MAX_SAMPLES = 512
const QUANTILE = 0.98
const MIN_MARGIN_MS = 15
const MAX_MARGIN_MS = 1_000

interface Sample {
  readonly at: number
  readonly transit: number
}

/**
 * Measures transit (local time at which a frame is ready, less its capture time; it holds the difference of
 * the two clocks) over the last eight seconds. The burst with which a late joiner is caught up says nothing
 * about the network and is left out.
 */
export class Estimator {
  #samples: Sample[] = []
  #previous: { readonly at: number; readonly captured: number } | null = null
  #settled = false
  #catchUp: number | null = null

  /** A frame captured at `captured` is ready at `at`; both in milliseconds. */
  add(at: number, captured: number): void {
    const transit = at - captured
    if (!this.#settled) {
      const before = this.#previous
      this.#previous = { at, captured }
      this.#catchUp = Math.min(this.#catchUp ?? Infinity, transit)
      if (before === null || at - before.at < (captured - before.captured) / 2) return
      this.#settled = true
    }
    this.#samples.push({ at, transit })
    const oldest = at - WINDOW_MS
    if (this.#samples.length > MAX_SAMPLES || (this.#samples[0]?.at ?? at) < oldest) {
      this.#samples = this.#samples.slice(-MAX_SAMPLES).filter((sample) => sample.at >= oldest)
    }
  }

  /** Whether the burst is over, so that the numbers mean something. */
  get settled(): boolean {
    return this.#settled
  }

  /** Smallest transit lately, milliseconds; `null` where no frame came yet. */
  get base(): number | null {
    if (this.#samples.length === 0) return this.#catchUp
    return this.#samples.reduce((least, sample) => Math.min(least, sample.transit), Infinity)
  }

  /** What has to be added to the base so that nearly every frame is in time, milliseconds. */
  get margin(): number {
    const base = this.base
    if (base === null || this.#samples.length === 0) return MIN_MARGIN_MS
    const sorted = this.#samples.map((sample) => sample.transit - base).sort((a, b) => a - b)
    const spread = sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * QUANTILE))] ?? 0
    return Math.min(Math.max(spread + 5, MIN_MARGIN_MS), MAX_MARGIN_MS)
  }

  /** Forgets everything: the track is joined anew. */
  reset(): void {
    this.#samples = []
    this.#previous = null
    this.#settled = false
    this.#catchUp = null
  }
}
