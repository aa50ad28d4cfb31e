/**
 * Reads the time that the test pattern burns into its pictures, so that latency is measured on pixels.
 *
 * It is a row of 80 black or white cells along the picture's top; cell `i` spans `i * width / 80` to
 * `(i + 1) * width / 80` and is `max(2, even(width / 80))` pixels high. Bits, most significant first: 8 of a
 * mark, 56 of the timestamp in microseconds modulo 2^56, 16 of a CRC over the timestamp's 7 bytes. A
 * cell's value is the mean luma of its middle half against 128.
 */

const CELLS = 80
const MARK = 0b1011_0010

/** Height in pixels of the row with the timecode in a picture of this width. */
export function height(width: number): number {
  return Math.max(2, Math.floor(width / CELLS / 2) * 2)
}

/** Luma of a pixel: column and row. */
export type Luma = (x: number, y: number) => number

/** Luma out of RGBA pixels, such as those of a canvas. */
export function lumaOfRgba(pixels: Uint8ClampedArray | Uint8Array, width: number): Luma {
  return (x, y) => {
    const at = (y * width + x) * 4
    return 0.299 * (pixels[at] ?? 0) + 0.587 * (pixels[at + 1] ?? 0) + 0.114 * (pixels[at + 2] ?? 0)
  }
}

/** Luma out of a plane of single bytes. */
export function lumaOfPlane(plane: Uint8Array, stride: number): Luma {
  return (x, y) => plane[y * stride + x] ?? 0
}

/**
 * Reads the timecode of a picture.
 * @returns microseconds since the Unix epoch; `null` where there is none, or a damaged one.
 */
export function read(luma: Luma, width: number): number | null {
  if (width < CELLS) return null
  const bytes = new Uint8Array(CELLS / 8)
  for (let cell = 0; cell < CELLS; cell++) {
    if (meanOfMiddle(luma, width, cell) >= 128) bytes[cell >> 3] = (bytes[cell >> 3] ?? 0) | (0x80 >> (cell & 7))
  }
  if (bytes[0] !== MARK) return null
  const timestamp = bytes.subarray(1, 8)
  const crc = ((bytes[8] ?? 0) << 8) | (bytes[9] ?? 0)
  if (crc16(timestamp) !== crc) return null
  return timestamp.reduce((value, byte) => value * 256 + byte, 0)
}

/** CRC-16/CCITT-FALSE: polynomial 0x1021, start 0xFFFF. */
export function crc16(bytes: Uint8Array): number {
  let crc = 0xffff
  for (const byte of bytes) {
    crc ^= byte << 8
    for (let bit = 0; bit < 8; bit++) crc = crc & 0x8000 ? ((crc << 1) ^ 0x1021) & 0xffff : (crc << 1) & 0xffff
  }
  return crc
}

function meanOfMiddle(luma: Luma, width: number, cell: number): number {
  const left = Math.floor((cell * width) / CELLS)
  const right = Math.floor(((cell + 1) * width) / CELLS)
  const [fromX, toX] = middleHalf(left, right)
  const [fromY, toY] = middleHalf(0, height(width))
  let sum = 0
  for (let y = fromY; y < toY; y++) for (let x = fromX; x < toX; x++) sum += luma(x, y)
  return sum / ((toX - fromX) * (toY - fromY))
}

function middleHalf(from: number, to: number): [number, number] {
  const quarter = Math.floor((to - from) / 4)
  return [from + quarter, Math.max(to - quarter, from + quarter + 1)]
}
