import { describe, expect, it } from 'vitest'

import { decode, LocError } from './loc'

/** vi64 of draft-18 §1.4.1, minimal. */
function vi64(value: bigint): number[] {
  for (let following = 0; following < 8; following++) {
    if (value < 1n << BigInt(7 * (following + 1))) {
      const bytes = Array.from({ length: following + 1 }, (_, at) => Number((value >> BigInt(8 * (following - at))) & 0xffn))
      bytes[0] = (bytes[0] ?? 0) | (0xff & ~(0xff >> following))
      return bytes
    }
  }
  return [0xff, ...Array.from({ length: 8 }, (_, at) => Number((value >> BigInt(8 * (7 - at))) & 0xffn))]
}

describe('LOC properties', () => {
  it('reads timestamp, frame marking and what else there is', () => {
    const timestamp = 1_795_000_000_123_456n
    const bytes = [
      ...vi64(0x09n), 1, 0b1110_1001, // frame marking: start, end, independent, base layer sync, layer 1
      ...vi64(0x04n), 2, 0xaa, 0xbb, // 0x0d: video config
      ...vi64(0x03n), ...vi64(timestamp), // 0x10
    ]
    const header = decode(Uint8Array.from(bytes))
    expect(header.timestamp).toBe(Number(timestamp))
    expect(header.marking).toEqual({ independent: true, discardable: false, baseLayerSync: true, layer: 1 })
    expect(header.config).toEqual(Uint8Array.of(0xaa, 0xbb))
    expect(header.audioLevel).toBeNull()
  })

  it('reads integers of every length', () => {
    for (const value of [0n, 127n, 128n, 16_383n, 16_384n, 1n << 27n, 1n << 34n, (1n << 42n) + 5n, 1n << 49n, (1n << 53n) - 1n]) {
      expect(decode(Uint8Array.from([0x10, ...vi64(value)])).timestamp).toBe(Number(value))
    }
  })

  it('heeds a timescale', () => {
    const bytes = [0x08, ...vi64(90_000n), 0x08, ...vi64(180_000n)]
    expect(decode(Uint8Array.from(bytes)).timestamp).toBe(2_000_000)
  })

  it('skips what it does not know', () => {
    const bytes = [0x02, 0x05, 0x01, 0x03, 1, 2, 3, 0x0d, ...vi64(77n)]
    expect(decode(Uint8Array.from(bytes)).timestamp).toBe(77)
  })

  it('refuses what is no LOC', () => {
    expect(() => decode(undefined)).toThrow(LocError)
    expect(() => decode(Uint8Array.of(0x0c, 0x40))).toThrow(/Timestamp/)
    expect(() => decode(Uint8Array.of(0x10))).toThrow(/break off/)
    expect(() => decode(Uint8Array.of(0x0d, 0x7f, 1))).toThrow(/break off/)
    expect(() => decode(Uint8Array.of(0x08, 0, 0x08, 1))).toThrow(/zero/)
  })

  it('survives noise', () => {
    let seed = 7
    const random = (): number => (seed = (seed * 1_103_515_245 + 12_345) % 2_147_483_648)
    for (let round = 0; round < 2_000; round++) {
      const bytes = Uint8Array.from({ length: random() % 24 }, () => random() >> 8)
      try {
        expect(decode(bytes).timestamp).toBeGreaterThanOrEqual(0)
      } catch (error) {
        expect(error).toBeInstanceOf(LocError)
      }
    }
  })
})
