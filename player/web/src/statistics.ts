/** What playback is like, in numbers that a person, a script and a test can read. */

import type { State } from './messages'

/** One reading. Times are milliseconds, rates bits or frames a second. */
export interface Statistics {
  readonly state: State
  /** From capture to presentation by the frames' own timestamps, over the last ten seconds. */
  readonly latencyMs: { readonly p50: number; readonly p95: number } | null
  /** The same by the time burned into the pixels of the pattern; `null` for other pictures. */
  readonly glassToGlassMs: number | null
  readonly glassToGlass: { readonly p50: number; readonly p95: number; readonly samples: number } | null
  /** Latency that playback moves to. */
  readonly targetMs: number | null
  /** How far playback is behind that. */
  readonly behindMs: number
  /** Media that is here and not presented yet. */
  readonly bufferMs: number
  readonly audioBufferMs: number
  readonly bitrate: number
  readonly fps: number
  readonly framesDecoded: number
  readonly framesShown: number
  readonly framesDropped: number
  readonly framesLate: number
  readonly groupsSkipped: number
  readonly codec: string | null
  readonly audioCodec: string | null
  readonly rendition: string | null
  readonly width: number
  readonly height: number
  readonly protocol: string | null
  /** Whether the browser negotiated it; some cannot, and speak it all the same. */
  readonly protocolNegotiated: boolean
  readonly startupMs: number | null
  readonly rebufferings: number
  readonly rebufferingMs: number
  /** RMS of the sound that was played last, 0 to 1. */
  readonly audioLevel: number
  readonly audioUnderruns: number
  /** Picture less sound, by capture time: positive where the picture is ahead. */
  readonly lipSyncMs: number | null
  readonly rate: number
  readonly objectsMalformed: number
  readonly tracksSkipped: number
}

/** A reading before anything was played. */
export const NOTHING: Statistics = {
  state: 'connecting',
  latencyMs: null,
  glassToGlassMs: null,
  glassToGlass: null,
  targetMs: null,
  behindMs: 0,
  bufferMs: 0,
  audioBufferMs: 0,
  bitrate: 0,
  fps: 0,
  framesDecoded: 0,
  framesShown: 0,
  framesDropped: 0,
  framesLate: 0,
  groupsSkipped: 0,
  codec: null,
  audioCodec: null,
  rendition: null,
  width: 0,
  height: 0,
  protocol: null,
  protocolNegotiated: false,
  startupMs: null,
  rebufferings: 0,
  rebufferingMs: 0,
  audioLevel: 0,
  audioUnderruns: 0,
  lipSyncMs: null,
  rate: 1,
  objectsMalformed: 0,
  tracksSkipped: 0,
}

/** Values of the last while, bounded in number and age. */
export class Window {
  #values: { readonly at: number; readonly value: number }[] = []

  /** @param age milliseconds after which a value is forgotten. */
  constructor(
    private readonly age: number,
    private readonly limit = 1_024,
  ) {}

  add(at: number, value: number): void {
    this.#values.push({ at, value })
    if (this.#values.length > this.limit) this.#values = this.#values.slice(-this.limit / 2)
  }

  /** Values that are not too old at `now`. */
  recent(now: number): readonly number[] {
    const oldest = now - this.age
    this.#values = this.#values.filter((entry) => entry.at >= oldest)
    return this.#values.map((entry) => entry.value)
  }

  /** Sum of the recent values for each second. */
  perSecond(now: number): number {
    const values = this.recent(now)
    const since = Math.min(this.age, Math.max(now - (this.#values[0]?.at ?? now), 250))
    return (values.reduce((sum, value) => sum + value, 0) * 1000) / since
  }

  clear(): void {
    this.#values = []
  }
}

/** The value below which a share of the values lies; `null` where there are none. */
export function quantile(values: readonly number[], share: number): number | null {
  if (values.length === 0) return null
  const sorted = [...values].sort((a, b) => a - b)
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? null
}
