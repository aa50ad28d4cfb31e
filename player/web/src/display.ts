/** The canvas: decoded pictures wait here until their time, then are drawn. */

import { height as timecodeHeight, lumaOfPlane, lumaOfRgba, read } from './timecode'

interface Waiting {
  readonly picture: VideoFrame
  /** Capture time, milliseconds. */
  readonly captured: number
  readonly rendition: string
}

/** What the display tells. */
export interface Events {
  /** A picture is on the canvas. */
  shown(captured: number, rendition: string): void
  /** A picture was passed over because a newer one was due too, or it came too late. */
  dropped(): void
  /** The time read from a picture's pixels when it was drawn, milliseconds since the Unix epoch. */
  timecode(captured: number, drawnAt: number): void
  size(width: number, height: number): void
  /** The picture in a handful of pixels. */
  colours(colours: ImageBitmap): void
}

const MAX_WAITING = 24
const MIN_TIMECODE_WIDTH = 80
const TIMECODE_EVERY = 6
const COLOURS_EVERY_MS = 2_000

/** Draws on one canvas. Full, it drops its oldest picture. */
export class Display {
  readonly #context: OffscreenCanvasRenderingContext2D
  #waiting: Waiting[] = []
  #lastShown = -Infinity
  #drawn = 0
  #colouredAt = -Infinity
  readonly #few = new OffscreenCanvas(5, 3)

  /** @throws where the canvas gives no 2D context. */
  constructor(
    private readonly canvas: OffscreenCanvas,
    private readonly events: Events,
    private readonly now: () => number,
  ) {
    const context = canvas.getContext('2d', { alpha: false })
    if (!context) throw new Error('the canvas gives no 2D context')
    this.#context = context
  }

  /** Size of the pictures, in pixels. */
  get width(): number {
    return this.canvas.width
  }

  get height(): number {
    return this.canvas.height
  }

  /** Capture time of the newest picture that waits or was drawn. */
  get newest(): number {
    return this.#waiting.at(-1)?.captured ?? this.#lastShown
  }

  /** Capture time of the picture on the canvas. */
  get lastShown(): number {
    return this.#lastShown
  }

  /** Takes a decoded picture. */
  put(picture: VideoFrame, rendition: string): void {
    const captured = picture.timestamp / 1000
    if (captured <= this.#lastShown) {
      picture.close()
      this.events.dropped()
      return
    }
    this.#waiting.push({ picture, captured, rendition })
    this.#waiting.sort((a, b) => a.captured - b.captured)
    if (this.#waiting.length > MAX_WAITING) this.#drop(this.#waiting.shift())
  }

  /** Draws the newest picture that is due at media time `due` (milliseconds). */
  draw(due: number): void {
    let next: Waiting | undefined
    while ((this.#waiting[0]?.captured ?? Infinity) <= due) {
      this.#drop(next)
      next = this.#waiting.shift()
    }
    if (next) this.#paint(next)
  }

  /** Draws the first picture there is, whatever its time. */
  drawFirst(): void {
    const first = this.#waiting.shift()
    if (first) this.#paint(first)
  }

  /** The time that the test pattern burned into the canvas's pixels, microseconds; `null` where there is none. */
  readTimecode(): number | null {
    const { width } = this.canvas
    if (width < MIN_TIMECODE_WIDTH || this.#drawn === 0) return null
    const { data } = this.#context.getImageData(0, 0, width, timecodeHeight(width))
    return read(lumaOfRgba(data, width), width)
  }

  /** Drops what waits; the canvas stays as it is. */
  clear(): void {
    for (const { picture } of this.#waiting) picture.close()
    this.#waiting = []
    this.#lastShown = -Infinity
  }

  #drop(waiting: Waiting | undefined): void {
    if (!waiting) return
    waiting.picture.close()
    this.events.dropped()
  }

  #paint({ picture, captured, rendition }: Waiting): void {
    const { displayWidth: width, displayHeight: height } = picture
    if (this.canvas.width !== width || this.canvas.height !== height) {
      this.canvas.width = width
      this.canvas.height = height
      this.events.size(width, height)
    }
    this.#context.drawImage(picture, 0, 0, width, height)
    this.#lastShown = captured
    this.events.shown(captured, rendition)
    this.#drawn += 1
    this.#tellColours(picture)
    if (this.#drawn % TIMECODE_EVERY === 1) void this.#readTimecode(picture)
    else picture.close()
  }

  #tellColours(picture: VideoFrame): void {
    const now = this.now()
    if (now - this.#colouredAt < COLOURS_EVERY_MS) return
    this.#colouredAt = now
    this.#few.getContext('2d', { alpha: false })?.drawImage(picture, 0, 0, this.#few.width, this.#few.height)
    this.events.colours(this.#few.transferToImageBitmap())
  }

  async #readTimecode(picture: VideoFrame): Promise<void> {
    const drawnAt = this.now()
    try {
      const width = picture.visibleRect?.width ?? picture.codedWidth
      const planar = picture.format === 'I420' || picture.format === 'NV12'
      const packed = picture.format !== null && /^(RGB|BGR)[AX]$/.test(picture.format)
      const rows = timecodeHeight(width)
      if (!(planar || packed) || width < MIN_TIMECODE_WIDTH) return
      const rect = { x: picture.visibleRect?.x ?? 0, y: picture.visibleRect?.y ?? 0, width, height: rows }
      const bytes = new Uint8Array(picture.allocationSize({ rect }))
      const [plane] = await picture.copyTo(bytes, { rect })
      if (!plane) return
      const pixels = bytes.subarray(plane.offset)
      // The code is black and white: the order of the colours does not matter.
      const luma = packed ? lumaOfRgba(pixels, plane.stride / 4) : lumaOfPlane(pixels, plane.stride)
      const timecode = read(luma, width)
      if (timecode !== null) this.events.timecode(timecode / 1000, drawnAt)
    } catch {
      // Some decoders' pictures cannot be read: then there is no such statistic.
    } finally {
      picture.close()
    }
  }
}
