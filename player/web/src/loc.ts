/** LOC packaging: what an object's properties say of the frame in its payload (LOC-04). */

/** What LOC says of a frame beside its payload. */
export interface Header {
  /** Capture time in microseconds since the Unix epoch (or media time, where a Timescale is given). */
  readonly timestamp: number
  /** Video Frame Marking (RFC 9626); for pictures. */
  readonly marking: FrameMarking | null
  /** WebCodecs `description`, where parameter sets are not in the stream. */
  readonly config: Uint8Array | null
  /** Audio Level (RFC 6464), 0 (loudest) to 127 (silence) in -dBov; for sound. */
  readonly audioLevel: number | null
}

/** Video Frame Marking (RFC 9626). */
export interface FrameMarking {
  /** Whether the frame can be decoded without any other. */
  readonly independent: boolean
  /** Whether no other frame needs it. */
  readonly discardable: boolean
  /** Whether it needs the base layer only. */
  readonly baseLayerSync: boolean
  /** Temporal layer, 0 is the base. */
  readonly layer: number
}

/** An object that is not LOC. */
export class LocError extends Error {
  override name = 'LocError'
}

const TIMESCALE = 0x08
const FRAME_MARKING = 0x09
const AUDIO_LEVEL = 0x0c
const VIDEO_CONFIG = 0x0d
const AUDIO_CONFIG = 0x0f
const TIMESTAMP = 0x10

/**
 * Reads the properties of an object: delta-encoded IDs, vi64 integers (draft-18 §1.4). Unknown ones are
 * skipped.
 * @throws {LocError} where they cannot be read or no Timestamp is among them.
 */
export function decode(properties: Uint8Array | undefined): Header {
  let timestamp: number | null = null
  let timescale: number | null = null
  let marking: FrameMarking | null = null
  let config: Uint8Array | null = null
  let audioLevel: number | null = null
  const reader = new Reader(properties ?? new Uint8Array())
  let id = 0
  while (!reader.empty) {
    id += reader.vi64()
    if (id % 2 === 0) {
      const value = reader.vi64()
      if (id === TIMESTAMP) timestamp = value
      else if (id === TIMESCALE) timescale = value
      else if (id === AUDIO_LEVEL) audioLevel = value & 0x7f
    } else {
      const value = reader.bytes(reader.vi64())
      if (id === FRAME_MARKING) marking = decodeMarking(value)
      else if (id === VIDEO_CONFIG || id === AUDIO_CONFIG) config = value
    }
  }
  if (timestamp === null) {
    throw new LocError('the object has no LOC Timestamp (property 0x10), so it cannot be placed in time')
  }
  if (timescale !== null) {
    if (timescale === 0) throw new LocError('the LOC Timescale (property 0x08) is zero')
    timestamp = (timestamp * 1e6) / timescale
  }
  return { timestamp, marking, config, audioLevel }
}

function decodeMarking(bytes: Uint8Array): FrameMarking | null {
  const flags = bytes[0]
  if (flags === undefined) return null
  return {
    independent: (flags & 0x20) !== 0,
    discardable: (flags & 0x10) !== 0,
    baseLayerSync: (flags & 0x08) !== 0,
    layer: flags & 0x07,
  }
}

class Reader {
  #at = 0

  constructor(private readonly buffer: Uint8Array) {}

  get empty(): boolean {
    return this.#at >= this.buffer.length
  }

  /** A vi64: leading ones of the first byte say how many bytes follow. Exact up to 2^53. */
  vi64(): number {
    const first = this.#byte()
    const following = Math.clz32(~(first << 24))
    let value = following >= 7 ? 0 : first & (0x7f >> following)
    for (let index = 0; index < following; index++) value = value * 256 + this.#byte()
    return value
  }

  bytes(length: number): Uint8Array {
    const end = this.#at + length
    if (end > this.buffer.length) throw new LocError('the object\'s properties break off')
    const bytes = this.buffer.slice(this.#at, end)
    this.#at = end
    return bytes
  }

  #byte(): number {
    const byte = this.buffer[this.#at++]
    if (byte === undefined) throw new LocError('the object\'s properties break off')
    return byte
  }
}
