/** Everything between the network and the canvas: the rendition that is watched, and the change to another. */

import type { VideoTrack } from './catalog'
import { VideoDecoding } from './decode/video'
import type { Frame } from './depackage'
import type { Display } from './display'
import { Feed } from './feed'
import type { Session } from './moqt/session'
import { onStage } from './naming'
import type { Need, Playhead } from './playhead'

const PRIORITY = 64
const DECODE_AHEAD_MS = 200
const MAX_QUEUED = 8
const BUSY_QUEUED = 3
const DRAW_MARGIN_MS = 10
const WAIT_UNTIL_MS = 25
const FAR_BEHIND_MS = 700

/** What the pictures tell. */
export interface Events {
  arrived(bytes: number): void
  /** The rendition that is shown from now on. */
  rendition(track: VideoTrack): void
  /** The rendition could not be had or decoded. */
  failed(track: VideoTrack, code: number | null, reason: string): void
  malformed(): void
}

interface Lost {
  readonly late: number
  readonly groups: number
}

interface Watched {
  readonly track: VideoTrack
  readonly feed: Feed
}

/** The video half of playback. */
export class Pictures {
  framesDecoded = 0
  framesSkipped = 0
  #current: Watched | null = null
  #next: (Watched & { switchAt: number | null }) | null = null
  #decoder: VideoDecoding | null = null
  #held: Frame | null = null
  #lastFed = -Infinity
  #lost: Lost = { late: 0, groups: 0 }
  #forgiven: Lost = { late: 0, groups: 0 }

  constructor(
    private readonly display: Display,
    private readonly playhead: Playhead,
    private readonly events: Events,
    private readonly now: () => number,
  ) {}

  /** The rendition that is shown, or is about to be. */
  get track(): VideoTrack | null {
    return this.#current?.track ?? null
  }

  /** The rendition that was asked for last. */
  get wanted(): VideoTrack | null {
    return this.#next?.track ?? this.track
  }

  /** Frames that came too late or not at all, and groups that were left early. */
  get losses(): Lost {
    const { late, groups } = this.#current ? counted(this.#current) : this.#forgiven
    return {
      late: this.#lost.late + late - this.#forgiven.late,
      groups: this.#lost.groups + groups - this.#forgiven.groups,
    }
  }

  /** Forgives what was lost of this rendition so far: frames from before the viewer joined are no loss. */
  forgive(): void {
    if (this.#current) this.#forgiven = counted(this.#current)
  }

  /** What this half needs to be in time; `null` where nothing came yet. */
  get need(): Need | null {
    const transit = this.#current?.feed.transit
    const base = transit?.base ?? null
    return transit && base !== null ? { base, margin: transit.margin + DRAW_MARGIN_MS } : null
  }

  /** Whether the numbers in `need` mean something yet. */
  get settled(): boolean {
    return this.#current?.feed.transit.settled ?? true
  }

  /** Capture time of the newest coded frame that is here, milliseconds. */
  get newest(): number {
    const newest = this.#current?.feed.depackager.newest ?? null
    return Math.max(newest === null ? -Infinity : newest / 1000, this.display.newest)
  }

  /** Watches a rendition: at once where none is shown, else from the next group of it on. */
  watch(session: Session, room: string, track: VideoTrack): void {
    if (this.wanted?.name === track.name) return
    this.#next?.feed.cancel()
    this.#next = null
    if (this.#current?.track.name === track.name) return
    const watched = { track, feed: this.#feed(session, room, track), switchAt: null }
    if (this.#current === null) this.#show(watched)
    else this.#next = watched
  }

  /** Stops everything; the canvas keeps its last picture. */
  stop(): void {
    this.#count()
    this.#current?.feed.cancel()
    this.#next?.feed.cancel()
    this.#current = null
    this.#next = null
    this.#decoder?.close()
    this.#decoder = null
    this.#held = null
    this.#lastFed = -Infinity
    this.display.clear()
  }

  /** Hands frames to the decoder as they are due. */
  pump(): void {
    const current = this.#current
    if (!current) return
    const media = this.playhead.mediaTime(this.now())
    if (media === null) return
    this.#prepareSwitch()
    const behind = media - this.#lastFed
    const { depackager } = current.feed
    if (behind > FAR_BEHIND_MS && (depackager.newest ?? 0) / 1000 - this.#lastFed > FAR_BEHIND_MS) depackager.skipToNewest()
    for (;;) {
      if (this.#switchIsDue(media)) { this.pump(); return; }
      const decoder = this.#decoder
      if (!decoder?.usable || decoder.queued >= MAX_QUEUED) return
      const frame = this.#held ?? depackager.poll((media + WAIT_UNTIL_MS) * 1000)
      this.#held = frame
      if (frame === null) return
      const captured = frame.header.timestamp / 1000
      if (captured > media + DECODE_AHEAD_MS) return
      if (this.#next?.switchAt != null && captured >= this.#next.switchAt) {
        this.#switch()
        this.pump(); return;
      }
      this.#held = null
      this.#lastFed = Math.max(captured, this.#lastFed)
      const spare = frame.header.marking?.discardable === true && captured < media && decoder.queued >= BUSY_QUEUED
      if (spare) this.framesSkipped += 1
      else decoder.decode(frame)
    }
  }

  /** Finds the group of the wanted rendition at which to change over. */
  #prepareSwitch(): void {
    const next = this.#next
    if (!next || next.switchAt !== null) return
    const start = next.feed.depackager.groupStartAfter(this.#lastFed * 1000)
    if (start === null) return
    next.feed.depackager.dropBefore(start)
    next.switchAt = start / 1000
  }

  #switchIsDue(media: number): boolean {
    if (this.#next?.switchAt == null || this.#next.switchAt > media + WAIT_UNTIL_MS) return false
    if (this.#held !== null && this.#held.header.timestamp / 1000 < this.#next.switchAt) return false
    this.#switch()
    return true
  }

  #switch(): void {
    const next = this.#next
    if (!next) return
    this.#count()
    this.#current?.feed.cancel()
    void this.#decoder?.finish()
    this.#next = null
    this.#held = null
    this.#show(next)
  }

  #show({ track, feed }: Watched): void {
    this.#current = { track, feed }
    this.forgive()
    this.#decoder = this.#decode(track, feed)
    this.events.rendition(track)
  }

  #count(): void {
    this.#lost = this.losses
    this.#forgiven = this.#current ? counted(this.#current) : { late: 0, groups: 0 }
  }

  #feed(session: Session, room: string, track: VideoTrack): Feed {
    const events = {
      arrived: (bytes: number) => this.events.arrived(bytes),
      malformed: () => this.events.malformed(),
      over: (_how: string, code: number, reason: string) => this.#failed(track, code, reason),
    }
    return new Feed(session, onStage(room, track.name), PRIORITY, 'gop', events, this.now)
  }

  #decode(track: VideoTrack, feed: Feed): VideoDecoding {
    const events = {
      picture: (picture: VideoFrame, _frame: Frame, took: number) => {
        this.framesDecoded += 1
        feed.decoding += (Math.min(took, 100) - feed.decoding) * 0.1
        this.display.put(picture, track.name)
        this.events.arrived(0)
      },
      failed: (reason: string) => this.#failed(track, null, reason),
    }
    return new VideoDecoding(track, events, this.now)
  }

  #failed(track: VideoTrack, code: number | null, reason: string): void {
    if (this.#next?.track.name === track.name) {
      this.#next.feed.cancel()
      this.#next = null
    } else if (this.#current?.track.name === track.name) {
      this.stop()
    } else return
    this.events.failed(track, code, reason)
  }
}

function counted({ feed }: Watched): Lost {
  const { late, undecodable, overflow, skippedGroups } = feed.depackager.losses
  return { late: late + undecodable + overflow, groups: skippedGroups }
}
