/** The page's side of sound: the audio context, its volume and its clock. */

import { now } from './clock'
import type { ClockPair } from './messages'
import workletUrl from './audio-worklet?worker&url'

const CLOCK_EVERY_MS = 250
const RATE = 48_000

/** One element's sound. A browser keeps it silent until the viewer touched the page. */
export class AudioOutput {
  readonly #context: AudioContext
  readonly #gain: GainNode
  #node: AudioWorkletNode | null = null
  #timer: ReturnType<typeof setInterval> | null = null
  #volume = 1
  #muted = false

  /**
   * @param changed hears whether sound is running, and how long a sample takes from here to the ear
   * (milliseconds).
   */
  constructor(private readonly changed: (running: boolean, output: number) => void) {
    this.#context = new AudioContext({ sampleRate: RATE, latencyHint: 'interactive' })
    this.#gain = this.#context.createGain()
    this.#gain.connect(this.#context.destination)
    this.#context.onstatechange = () => this.#announce()
  }

  /** Whether the browser lets sound out. */
  get running(): boolean {
    return this.#context.state === 'running'
  }

  /** Loads the worklet, which then hears from the worker through `worker`. */
  async start(worker: MessagePort): Promise<void> {
    await this.#context.audioWorklet.addModule(workletUrl)
    const node = new AudioWorkletNode(this.#context, 'live-room-player', { numberOfInputs: 0, outputChannelCount: [2] })
    node.connect(this.#gain)
    node.port.postMessage({ worker }, [worker])
    this.#node = node
    this.#timer = setInterval(() => this.#tellClock(), CLOCK_EVERY_MS)
    this.#announce()
  }

  /** Asks the browser to let sound out; works inside a click or key press. Resolves to whether it does. */
  async resume(): Promise<boolean> {
    if (this.#context.state !== 'running') {
      await Promise.race([this.#context.resume(), new Promise((resolve) => setTimeout(resolve, 300))])
    }
    return this.running
  }

  /** @param volume 0 to 1 */
  set(volume: number, muted: boolean): void {
    this.#volume = volume
    this.#muted = muted
    const gain = this.#muted ? 0 : this.#volume ** 2
    this.#gain.gain.setTargetAtTime(gain, this.#context.currentTime, 0.015)
  }

  /** Ends it. */
  close(): void {
    if (this.#timer !== null) clearInterval(this.#timer)
    this.#node?.disconnect()
    void this.#context.close()
  }

  #announce(): void {
    this.#tellClock()
    this.changed(this.running && this.#node !== null, this.#outputMs())
  }

  #tellClock(): void {
    if (!this.#node || !this.running) return
    const stamp = this.#context.getOutputTimestamp()
    let context = stamp.contextTime ?? 0
    let epoch = now() - (performance.now() - (stamp.performanceTime ?? 0))
    const age = now() - epoch
    // Some browsers give no stamp at first, or none at all.
    if (context <= 0 || age < -1_000 || age > 1_000) {
      context = this.#context.currentTime - this.#outputMs() / 1000
      epoch = now()
    }
    const clock: ClockPair = { context, epoch }
    this.#node.port.postMessage({ clock })
  }

  #outputMs(): number {
    const { baseLatency, outputLatency } = this.#context as { baseLatency: number; outputLatency?: number }
    return (baseLatency + (outputLatency ?? 0)) * 1000
  }
}
