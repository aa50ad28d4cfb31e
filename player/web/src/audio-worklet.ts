/** The loudspeaker's end: plays the ring, and says what is heard. Runs as an AudioWorklet. */

import { AudioRing } from './audio-ring'
import type { ClockPair, Heard, Sound } from './messages'

// The worklet's global scope has no types in the DOM library.
declare const sampleRate: number
declare const currentTime: number
declare class AudioWorkletProcessor {
  readonly port: MessagePort
}
declare function registerProcessor(name: string, processor: new () => AudioWorkletProcessor): void

const SECONDS = 6
const REPORT_EVERY = 0.04

class Player extends AudioWorkletProcessor {
  readonly #ring = new AudioRing(sampleRate, 2, SECONDS)
  #clock: ClockPair | null = null
  #worker: MessagePort | null = null
  #reportedAt = 0

  constructor() {
    super()
    this.port.onmessage = ({ data }: MessageEvent<{ worker: MessagePort } | { clock: ClockPair }>) => {
      if ('clock' in data) this.#clock = data.clock
      else {
        this.#worker = data.worker
        data.worker.onmessage = (event: MessageEvent<Sound>) => this.#sound(event.data)
      }
    }
  }

  process(_inputs: Float32Array[][], outputs: Float32Array[][]): boolean {
    const out = outputs[0]
    if (!out || !this.#clock) return true
    const at = this.#clock.epoch + (currentTime - this.#clock.context) * 1000
    this.#ring.read(out, at)
    if (currentTime - this.#reportedAt >= REPORT_EVERY) {
      this.#reportedAt = currentTime
      const heard: Heard = { type: 'heard', at, ...this.#ring.report() }
      this.#worker?.postMessage(heard)
    }
    return true
  }

  #sound(sound: Sound): void {
    switch (sound.type) {
      case 'samples':
        this.#ring.write(sound.timestamp, sound.planes)
        break
      case 'target':
        this.#ring.target = sound.delay
        break
      case 'clear':
        this.#ring.clear()
        break
    }
  }
}

registerProcessor('live-room-player', Player)
