/**
 * Decoded sound on its way to the loudspeaker: a ring that is one continuous stretch of time.
 *
 * It plays each sample at its capture time plus the wanted delay. Off by a little it plays slightly faster
 * or slower; off by much it skips; run dry it is silent until enough is there again. Every edge is a short
 * fade, so that nothing crackles.
 */

const FADE_FRAMES = 192
const MAX_RATE_CHANGE = 0.02
const DEAD_BAND_MS = 4
const SKIP_MS = 250
const MAX_GAP_MS = 400

/** What the ring says of itself. */
export interface RingReport {
  readonly state: 'waiting' | 'playing'
  /** Local time less capture time of what is being heard, milliseconds. */
  readonly delay: number
  /** Sound in it, milliseconds. */
  readonly buffered: number
  /** Times it ran dry since it was made. */
  readonly underruns: number
  /** RMS of what was played last, 0 to 1. */
  readonly level: number
}

/** The ring. Full, it drops its oldest samples. */
export class AudioRing {
  readonly #samples: Float32Array[]
  readonly #capacity: number
  #written = 0
  #read = 0
  /** Capture time in milliseconds of the frame at `#written`. */
  #end = 0
  #state: RingReport['state'] = 'waiting'
  #gain = 0
  #leaving = false
  #underruns = 0
  #level = 0
  #delay = 0

  /** The wanted delay, milliseconds. */
  target = Infinity

  /**
   * @param rate frames a second
   * @param channels number of channels
   * @param seconds how much it holds
   */
  constructor(
    private readonly rate: number,
    channels: number,
    seconds: number,
  ) {
    this.#capacity = Math.ceil(rate * seconds)
    this.#samples = Array.from({ length: channels }, () => new Float32Array(this.#capacity))
  }

  /** Sound in it, milliseconds. */
  get buffered(): number {
    return this.#frames(this.#written - this.#read)
  }

  /** Appends planar samples captured at `timestamp` (milliseconds). */
  write(timestamp: number, planes: readonly Float32Array[]): void {
    const length = planes[0]?.length ?? 0
    const gap = this.#written === this.#read ? 0 : timestamp - this.#end
    let from = 0
    if (this.#written === this.#read || Math.abs(gap) > MAX_GAP_MS) {
      this.#read = this.#written
      this.#end = timestamp
      if (this.#state === 'playing') this.#dry()
    } else if (gap > 2) {
      this.#silence(Math.round((gap * this.rate) / 1000))
    } else if (gap < -2) {
      from = Math.min(Math.round((-gap * this.rate) / 1000), length)
    }
    for (let frame = from; frame < length; frame++) {
      const at = (this.#written + frame - from) % this.#capacity
      this.#samples.forEach((ring, channel) => (ring[at] = (planes[channel] ?? planes[0])?.[frame] ?? 0))
    }
    this.#advance(length - from)
  }

  /**
   * Fills `out` with what is to be heard from local time `now` (milliseconds) on.
   */
  read(out: readonly Float32Array[], now: number): void {
    const length = out[0]?.length ?? 0
    if (this.#state === 'waiting' && !this.#begin(now)) {
      for (const plane of out) plane.fill(0)
      this.#level = 0
      return
    }
    this.#delay = now - this.#position()
    const off = this.#delay - this.target
    if (Math.abs(off) > SKIP_MS && Number.isFinite(this.target)) this.#leaving = true
    const change = Math.abs(off) < DEAD_BAND_MS ? 0 : Math.min(Math.max(off / 1_000, -MAX_RATE_CHANGE), MAX_RATE_CHANGE)
    const step = 1 + (Number.isFinite(change) ? change : 0)
    let squares = 0
    for (let frame = 0; frame < length; frame++) {
      const left = this.#written - this.#read
      this.#gain = this.#leaving ? this.#gain - 1 / FADE_FRAMES : Math.min(this.#gain + 1 / FADE_FRAMES, 1)
      const gain = Math.max(Math.min(this.#gain, (left - 2) / FADE_FRAMES), 0)
      const whole = Math.floor(this.#read)
      const part = this.#read - whole
      out.forEach((plane, channel) => {
        const ring = this.#samples[channel] ?? this.#samples[0]
        const a = ring?.[whole % this.#capacity] ?? 0
        const b = ring?.[(whole + 1) % this.#capacity] ?? 0
        const sample = left > 1 ? (a + (b - a) * part) * gain : 0
        plane[frame] = sample
        if (channel === 0) squares += sample * sample
      })
      if (left > 1) this.#read += step
    }
    this.#level = Math.sqrt(squares / Math.max(length, 1))
    if (this.#leaving && this.#gain <= 0) this.#rest()
    else if (this.#written - this.#read <= 2) this.#dry()
  }

  /** Forgets all sound in it. */
  clear(): void {
    this.#read = this.#written
    this.#rest()
  }

  /** What it is doing. */
  report(): RingReport {
    const { buffered } = this
    return { state: this.#state, delay: this.#delay, buffered, underruns: this.#underruns, level: this.#level }
  }

  /** Starts where the sound at the wanted delay is here; drops what is older than that. */
  #begin(now: number): boolean {
    if (this.#written - this.#read <= FADE_FRAMES || !Number.isFinite(this.target)) return false
    const due = now - this.target
    if (due < this.#position()) return false
    if (due > this.#end - this.#frames(FADE_FRAMES)) return false
    this.#read = this.#written - ((this.#end - due) * this.rate) / 1000
    this.#state = 'playing'
    this.#gain = 0
    return true
  }

  /** Capture time of the frame that is read next. */
  #position(): number {
    return this.#end - this.#frames(this.#written - this.#read)
  }

  #dry(): void {
    this.#underruns += 1
    this.#rest()
  }

  #rest(): void {
    this.#state = 'waiting'
    this.#leaving = false
    this.#gain = 0
  }

  #silence(frames: number): void {
    for (let frame = 0; frame < frames; frame++) {
      const at = (this.#written + frame) % this.#capacity
      for (const ring of this.#samples) ring[at] = 0
    }
    this.#advance(frames)
  }

  #advance(frames: number): void {
    this.#written += frames
    this.#end += this.#frames(frames)
    this.#read = Math.max(this.#read, this.#written - this.#capacity + 1)
  }

  #frames(count: number): number {
    return (count * 1000) / this.rate
  }
}
