/** The canvas: decoded pictures wait here until their time, then are drawn. */

import { height as timecodeHeight, lumaOfPlane, read } from './timecode'

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
}

const MAX_WAITING = 24
const TIMECODE_EVERY = 6

/** Draws on one canvas. Full, it drops its oldest picture. */
export class Display {
  readonly #context: OffscreenCanvasRenderingContext2D
  #waiting: Waiting[] = []
  #lastShown = -Infinity
  #drawn = 0

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
    if (this.#drawn % TIMECODE_EVERY === 1) void this.#readTimecode(picture)
    else picture.close()
  }

  async #readTimecode(picture: VideoFrame): Promise<void> {
    const drawnAt = this.now()
    try {
      const width = picture.visibleRect?.width ?? picture.codedWidth
      const planar = picture.format === 'I420' || picture.format === 'NV12'
      const rows = timecodeHeight(width)
      if (!planar || width < 80) return
      const rect = { x: picture.visibleRect?.x ?? 0, y: picture.visibleRect?.y ?? 0, width, height: rows }
      const bytes = new Uint8Array(picture.allocationSize({ rect }))
      const [luma] = await picture.copyTo(bytes, { rect })
      if (!luma) return
      const timecode = read(lumaOfPlane(bytes.subarray(luma.offset), luma.stride), width)
      if (timecode !== null) this.events.timecode(timecode / 1000, drawnAt)
    } catch {
      // Some decoders' pictures cannot be read: then there is no such statistic.
    } finally {
      picture.close()
    }
  }
}
