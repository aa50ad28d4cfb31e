/** H.264 and what else the browser decodes: coded frames in, pictures out, in order. */

import type { VideoTrack } from '../catalog'
import { isKey, type Frame } from '../depackage'
import { attempt } from './attempt'

/** What a decoder tells. */
export interface Events {
  /** A picture, to be closed by who takes it. `took` is the decoding time in milliseconds. */
  picture(picture: VideoFrame, frame: Frame, took: number): void
  /** The decoder gave up; it takes nothing more. */
  failed(reason: string): void
}

const MAX_PENDING = 64

/** Decodes one track from a keyframe on. */
export class VideoDecoding {
  readonly #decoder: VideoDecoder
  readonly #pending = new Map<number, { readonly frame: Frame; readonly at: number }>()
  #started = false

  constructor(
    readonly track: VideoTrack,
    private readonly events: Events,
    private readonly now: () => number,
  ) {
    this.#decoder = new VideoDecoder({
      output: (picture) => this.#output(picture),
      error: (error) => events.failed(error.message),
    })
    this.#configure(track.description)
  }

  /** Frames that wait for the decoder. */
  get queued(): number {
    return this.#decoder.decodeQueueSize
  }

  /** Whether it still takes frames. */
  get usable(): boolean {
    return this.#decoder.state === 'configured'
  }

  /** Takes the next frame. What comes before the first keyframe is left out. */
  decode(frame: Frame): void {
    if (!this.usable || (!this.#started && !isKey(frame))) return
    if (isKey(frame) && frame.header.config !== null) this.#configure(frame.header.config)
    this.#started = true
    const { timestamp } = frame.header
    this.#pending.set(timestamp, { frame, at: this.now() })
    if (this.#pending.size > MAX_PENDING) {
      for (const oldest of this.#pending.keys()) {
        this.#pending.delete(oldest)
        break
      }
    }
    const type = isKey(frame) ? 'key' : 'delta'
    this.#attempt(() => this.#decoder.decode(new EncodedVideoChunk({ type, timestamp, data: frame.payload })))
  }

  /** Puts out what is in it, then ends. */
  async finish(): Promise<void> {
    try {
      await this.#decoder.flush()
    } catch {
      // It has failed, or was closed meanwhile.
    }
    this.close()
  }

  /** Ends at once. */
  close(): void {
    if (this.#decoder.state !== 'closed') this.#decoder.close()
    this.#pending.clear()
  }

  #configure(description: Uint8Array | null): void {
    const { codec, width, height } = this.track
    this.#attempt(() => {
      this.#decoder.configure({
        codec,
        optimizeForLatency: true,
        ...(width > 0 && height > 0 ? { codedWidth: width, codedHeight: height } : {}),
        ...(description !== null ? { description } : {}),
      })
    })
  }

  #attempt(action: () => void): void {
    attempt(action, () => this.close(), (reason) => this.events.failed(reason))
  }

  #output(picture: VideoFrame): void {
    const pending = this.#pending.get(picture.timestamp)
    if (!pending) {
      picture.close()
      return
    }
    this.#pending.delete(picture.timestamp)
    this.events.picture(picture, pending.frame, this.now() - pending.at)
  }
}
