import { describe, expect, it } from 'vitest'

import { crc16, height, lumaOfPlane, lumaOfRgba, read } from './timecode'

/** Draws a timecode as the pattern does. */
function plane(width: number, timestamp: bigint): Uint8Array {
  const bytes = new Uint8Array(10)
  bytes[0] = 0b1011_0010
  for (let at = 0; at < 7; at++) bytes[1 + at] = Number((timestamp >> BigInt(8 * (6 - at))) & 0xffn)
  const crc = crc16(bytes.subarray(1, 8))
  bytes[8] = crc >> 8
  bytes[9] = crc & 0xff
  const rows = height(width)
  const pixels = new Uint8Array(width * rows)
  for (let cell = 0; cell < 80; cell++) {
    const white = ((bytes[cell >> 3] ?? 0) >> (7 - (cell & 7))) & 1
    const [from, to] = [Math.floor((cell * width) / 80), Math.floor(((cell + 1) * width) / 80)]
    for (let y = 0; y < rows; y++) pixels.fill(white ? 235 : 16, y * width + from, y * width + to)
  }
  return pixels
}

const TIME = 1_795_501_234_567_890n

describe('the timecode', () => {
  it('is read at every size', () => {
    for (const width of [160, 320, 426, 640, 854, 1280, 1920, 3840]) {
      expect(read(lumaOfPlane(plane(width, TIME), width), width), String(width)).toBe(Number(TIME))
    }
  })

  it('is read from RGBA', () => {
    const grey = plane(640, TIME)
    const rgba = Uint8ClampedArray.from({ length: grey.length * 4 }, (_, at) => (at % 4 === 3 ? 255 : (grey[at >> 2] ?? 0)))
    expect(read(lumaOfRgba(rgba, 640), 640)).toBe(Number(TIME))
  })

  it('is not read where there is none, or a damaged one', () => {
    const pixels = plane(640, TIME)
    expect(read(lumaOfPlane(new Uint8Array(640 * 8).fill(128), 640), 640)).toBeNull()
    const flipped = pixels[300] === 16 ? 235 : 16
    for (let y = 0; y < 8; y++) pixels.fill(flipped, y * 640 + 296, y * 640 + 304)
    expect(read(lumaOfPlane(pixels, 640), 640)).toBeNull()
    expect(read(lumaOfPlane(pixels, 40), 40)).toBeNull()
  })

  it('has the checksum that everybody has', () => {
    expect(crc16(new TextEncoder().encode('123456789'))).toBe(0x29b1)
  })
})
