/** Opus and what else the browser decodes: coded frames in, planar samples out. */

import type { AudioTrack } from '../catalog'
import type { Frame } from '../depackage'
import { attempt } from './attempt'

/** What a decoder tells. */
export interface Events {
  /** Samples captured at `timestamp` (milliseconds), one array a channel. */
  samples(timestamp: number, planes: Float32Array<ArrayBuffer>[]): void
  /** The decoder gave up; it takes nothing more. */
  failed(reason: string): void
}

/** Decodes one track. */
export class AudioDecoding {
  readonly #decoder: AudioDecoder

  constructor(
    readonly track: AudioTrack,
    private readonly events: Events,
  ) {
    this.#decoder = new AudioDecoder({
      output: (data) => this.#output(data),
      error: (error) => events.failed(error.message),
    })
    this.#attempt(() => {
      this.#decoder.configure({
        codec: track.codec,
        sampleRate: track.sampleRate,
        numberOfChannels: track.channels,
        ...(track.description !== null ? { description: track.description } : {}),
      })
    })
  }

  /** Whether it still takes frames. */
  get usable(): boolean {
    return this.#decoder.state === 'configured'
  }

  /** Takes the next frame. */
  decode(frame: Frame): void {
    if (!this.usable) return
    const { timestamp } = frame.header
    this.#attempt(() => this.#decoder.decode(new EncodedAudioChunk({ type: 'key', timestamp, data: frame.payload })))
  }

  /** Ends at once. */
  close(): void {
    if (this.#decoder.state !== 'closed') this.#decoder.close()
  }

  #attempt(action: () => void): void {
    attempt(action, () => this.close(), (reason) => this.events.failed(reason))
  }

  #output(data: AudioData): void {
    const planes: Float32Array<ArrayBuffer>[] = []
    for (let planeIndex = 0; planeIndex < data.numberOfChannels; planeIndex++) {
      const plane = new Float32Array(data.numberOfFrames)
      data.copyTo(plane, { planeIndex, format: 'f32-planar' })
      planes.push(plane)
    }
    const { timestamp } = data
    data.close()
    this.events.samples(timestamp / 1000, planes)
  }
}
