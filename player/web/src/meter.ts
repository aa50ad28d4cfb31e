/** Counts and measures what happens, for the statistics. */

import type { Heard } from './messages'
import type { Second } from './quality'
import { NOTHING, quantile, Window, type Statistics } from './statistics'

const LATENCY_WINDOW_MS = 10_000
const RATE_WINDOW_MS = 2_000
const CAUGHT_UP_MS = 150

/** The measurements of one viewer. Times are local milliseconds. */
export class Meter {
  malformed = 0
  tracksSkipped = 0
  rendition: string | null = null
  #protocol: { readonly name: string; readonly negotiated: boolean } | null = null
  readonly #latency = new Window(LATENCY_WINDOW_MS)
  readonly #pixels = new Window(LATENCY_WINDOW_MS)
  readonly #lipSync = new Window(LATENCY_WINDOW_MS)
  readonly #bits = new Window(RATE_WINDOW_MS)
  readonly #frames = new Window(RATE_WINDOW_MS)
  #shown = 0
  #dropped = 0
  #lastShownAt: number | null = null
  #caughtUp = false
  #startedAt = 0
  #startup: number | null = null
  #rebufferings = 0
  #rebuffered = 0
  #stalledAt: number | null = null
  #before = { shown: 0, missed: 0, groups: 0, dropped: 0 }

  constructor(private readonly now: () => number) {}

  /** Whether no picture was shown since the tracks were joined. */
  get waiting(): boolean {
    return this.#lastShownAt === null
  }

  /** A connection is begun; startup is measured from `startedAt`. */
  begin(startedAt: number): void {
    this.#startedAt = startedAt
    this.#startup = null
    this.#protocol = null
  }

  /** A session is there. */
  connected(name: string, negotiated: boolean): void {
    this.#protocol = { name, negotiated }
  }

  /** The first picture is on the screen. */
  started(now: number): void {
    this.#startup ??= now - this.#startedAt
  }

  /** Tracks were left: what follows is a new join. */
  left(): void {
    this.#lastShownAt = null
    this.#caughtUp = false
    this.#latency.clear()
    this.#pixels.clear()
    this.#lipSync.clear()
  }

  bytes(count: number): void {
    if (count > 0) this.#bits.add(this.now(), count * 8)
  }

  /** A picture captured at `captured` is shown. A late joiner's run to the live edge is not measured. */
  shown(now: number, captured: number, media: number | null, heard: Heard | null): void {
    this.#shown += 1
    this.#lastShownAt = now
    this.#frames.add(now, 1)
    this.#caughtUp ||= media !== null && media - captured < CAUGHT_UP_MS
    if (!this.#caughtUp) return
    this.#latency.add(now, now - captured)
    if (heard?.state === 'playing' && now - heard.at < 500) this.#lipSync.add(now, captured - (now - heard.delay))
  }

  /** A picture was passed over. On a late joiner's run to the live edge that is no loss. */
  drop(): void {
    if (this.#caughtUp) this.#dropped += 1
  }

  /** Pictures that were passed over. */
  get dropped(): number {
    return this.#dropped
  }

  /** A time was read from the pixels of a picture drawn at `drawnAt`. */
  timecode(captured: number, drawnAt: number): void {
    if (this.#caughtUp) this.#pixels.add(drawnAt, drawnAt - captured)
  }

  /** How long no picture was shown. */
  sinceShown(now: number): number {
    return this.#lastShownAt === null ? 0 : now - this.#lastShownAt
  }

  stalled(now: number): void {
    this.#rebufferings += 1
    this.#stalledAt = now
  }

  resumed(now: number): void {
    if (this.#stalledAt !== null) this.#rebuffered += now - this.#stalledAt
    this.#stalledAt = null
  }

  /** What the time since the last call was like. */
  second(missed: number, groups: number, stalled: boolean): Second {
    const { shown, dropped } = { shown: this.#shown, dropped: this.#dropped }
    const before = this.#before
    this.#before = { shown, missed, groups, dropped }
    const lost = missed - before.missed + dropped - before.dropped
    return { expected: shown - before.shown + lost, missed: lost, stalled: stalled || groups > before.groups }
  }

  /** The part of the statistics that is measured here. */
  read(now: number): Statistics {
    const pixels = this.#pixels.recent(now)
    return {
      ...NOTHING,
      latencyMs: spread(this.#latency.recent(now)),
      glassToGlassMs: pixels.at(-1) ?? null,
      glassToGlass: withCount(pixels),
      bitrate: this.#bits.perSecond(now),
      fps: this.#frames.perSecond(now),
      framesShown: this.#shown,
      rendition: this.rendition,
      protocol: this.#protocol?.name ?? null,
      protocolNegotiated: this.#protocol?.negotiated ?? false,
      startupMs: this.#startup,
      rebufferings: this.#rebufferings,
      rebufferingMs: this.#rebuffered + (this.#stalledAt === null ? 0 : now - this.#stalledAt),
      lipSyncMs: quantile(this.#lipSync.recent(now), 0.5),
      objectsMalformed: this.malformed,
      tracksSkipped: this.tracksSkipped,
    }
  }
}

function spread(values: readonly number[]): Statistics['latencyMs'] {
  const p50 = quantile(values, 0.5)
  const p95 = quantile(values, 0.95)
  return p50 === null || p95 === null ? null : { p50, p95 }
}

function withCount(values: readonly number[]): Statistics['glassToGlass'] {
  const both = spread(values)
  return both === null ? null : { ...both, samples: values.length }
}
