/** Everything between the network and the worklet's ring. */

import type { AudioTrack } from './catalog'
import { AudioDecoding } from './decode/audio'
import { Feed } from './feed'
import type { Heard, Sound } from './messages'
import type { Session } from './moqt/session'
import { onStage } from './naming'
import type { Need, Playhead } from './playhead'

const PRIORITY = 32
const RING_MARGIN_MS = 15
const WAIT_UNTIL_MS = 40
const MAX_AHEAD_MS = 5_000

/** What the sound tells. */
export interface Events {
  arrived(bytes: number): void
  failed(track: AudioTrack, reason: string): void
  malformed(): void
}

/** The audio half of playback. Without a running audio context it decodes nothing. */
export class Listening {
  /** The worklet's last word. */
  heard: Heard | null = null
  #feed: Feed | null = null
  #track: AudioTrack | null = null
  #decoder: AudioDecoding | null = null
  #running = false
  #output = 0
  #target = Infinity

  constructor(
    private readonly ring: MessagePort,
    private readonly playhead: Playhead,
    private readonly events: Events,
    private readonly now: () => number,
  ) {
    ring.onmessage = ({ data }: MessageEvent<Heard>) => {
      this.heard = data
      if (data.state === 'playing' && this.#running && this.#feed) playhead.heard(data.delay, this.now())
    }
  }

  get track(): AudioTrack | null {
    return this.#track
  }

  /** What this half needs to be in time; `null` where it is silent. */
  get need(): Need | null {
    const transit = this.#feed?.transit
    const base = transit?.base ?? null
    if (!this.#running || !transit || base === null) return null
    return { base, margin: transit.margin + this.#output + RING_MARGIN_MS }
  }

  /** Whether the numbers in `need` mean something yet. */
  get settled(): boolean {
    return !this.#running || (this.#feed?.transit.settled ?? true)
  }

  /** Listens to a track. */
  listen(session: Session, room: string, track: AudioTrack): void {
    if (this.#track?.name === track.name) return
    this.stop()
    const fail = (reason: string): void => {
      if (this.#track?.name !== track.name) return
      this.stop()
      this.events.failed(track, reason)
    }
    const events = {
      arrived: (bytes: number) => this.events.arrived(bytes),
      malformed: () => this.events.malformed(),
      over: (_how: string, _code: number, reason: string) => fail(reason),
    }
    this.#track = track
    this.#feed = new Feed(session, onStage(room, track.name), PRIORITY, 'independent', events, this.now)
    this.#decoder = new AudioDecoding(track, {
      samples: (timestamp, planes) => this.#samples(timestamp, planes),
      failed: fail,
    })
  }

  /** Stops everything and silences the ring. */
  stop(): void {
    this.#feed?.cancel()
    this.#feed = null
    this.#track = null
    this.#decoder?.close()
    this.#decoder = null
    this.heard = null
    this.aim(Infinity)
    this.#send({ type: 'clear' })
  }

  /** Tells whether the audio context runs, and how long a sample takes to the ear (milliseconds). */
  output(running: boolean, output: number): void {
    this.#output = output
    if (running === this.#running) return
    this.#running = running
    if (!running) {
      this.heard = null
      this.#send({ type: 'clear' })
    }
  }

  /** Sets the delay at which the ring plays; infinite to wait. */
  aim(delay: number): void {
    if (delay === this.#target || Math.abs(delay - this.#target) < 1) return
    this.#target = delay
    this.#send({ type: 'target', delay })
  }

  /** Hands frames to the decoder. */
  pump(): void {
    const feed = this.#feed
    const media = this.playhead.mediaTime(this.now())
    if (!feed || media === null) return
    const due = (media + this.#output + WAIT_UNTIL_MS) * 1000
    for (let frame = feed.depackager.poll(due); frame !== null; frame = feed.depackager.poll(due)) {
      const ahead = frame.header.timestamp / 1000 - media
      if (this.#running && ahead < MAX_AHEAD_MS && ahead > -1_000) this.#decoder?.decode(frame)
    }
  }

  #samples(timestamp: number, planes: Float32Array<ArrayBuffer>[]): void {
    if (!this.#running) return
    const transfer = planes.map((plane) => plane.buffer)
    this.ring.postMessage({ type: 'samples', timestamp, planes } satisfies Sound, transfer)
  }

  #send(sound: Sound): void {
    this.ring.postMessage(sound)
  }
}
