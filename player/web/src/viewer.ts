/** The whole viewer, without a page: session, catalog, pictures, sound, and the state that people see. */

import { label, type AudioTrack, type Catalog, type VideoTrack } from './catalog'
import { CatalogFeed } from './catalog-feed'
import type { Display } from './display'
import { Meter } from './meter'
import type { Command, Notice, State } from './messages'
import { requestDenied, sessionDenied } from './moqt/code'
import { Session } from './moqt/session'
import * as naming from './naming'
import { Pictures } from './pictures'
import { Playhead, type Need } from './playhead'
import { Chooser } from './quality'
import { Seat, type News } from './room/seat'
import { Listening } from './sound'

const CONNECT_TIMEOUT_MS = 6_000
const RETRY_OFFLINE_MS = 2_000
const RETRY_TRACK_MS = 500
/** Half of the time between two animation frames: a picture is drawn at the one nearest to its time. */
const DRAW_AHEAD_MS = 8
const DEFAULT_TARGET_MS = 100
const SETTLE_AT_MOST_MS = 1_500
const STALL_MS = 500
const DRAIN_MS = 600
const STATISTICS_EVERY_MS = 250

type Connect = Extract<Command, { type: 'connect' }>

/** One viewer. The driver gives it commands, ticks and animation frames. */
export class Viewer {
  readonly #playhead = new Playhead(DEFAULT_TARGET_MS)
  readonly #chooser = new Chooser()
  readonly #meter: Meter
  readonly #pictures: Pictures
  readonly #sound: Listening
  #session: Session | null = null
  #seat: Seat | null = null
  #attempt = 0
  #room = ''
  #state: State = 'connecting'
  #catalogFeed: CatalogFeed | null = null
  #catalog: Catalog | null = null
  #quality = 'auto'
  #target: number | null = null
  #viewport = { width: 0, height: 0 }
  #visible = true
  #paused = false
  #joinedAt = 0
  #settling = true
  #firstPicture = false
  #judgedAt = 0
  #reportedAt = 0
  #failedTracks = new Set<string>()
  #retry: ReturnType<typeof setTimeout> | null = null
  #pumping = false

  constructor(
    private readonly display: Display,
    ring: MessagePort,
    private readonly notify: (notice: Notice) => void,
    private readonly now: () => number,
  ) {
    this.#meter = new Meter(now)
    const arrived = (bytes: number): void => {
      this.#meter.bytes(bytes)
      this.#pumpSoon()
    }
    const malformed = (): void => {
      this.#meter.malformed += 1
    }
    this.#pictures = new Pictures(
      display,
      this.#playhead,
      {
        arrived,
        malformed,
        rendition: (track) => this.notify({ type: 'rendition', name: track.name }),
        failed: (track, code, reason) => this.#pictureFailed(track, code, reason),
      },
      now,
    )
    const audioFailed = (track: AudioTrack): void => {
      this.#later(RETRY_TRACK_MS, () => {
        if (this.#catalog?.audio.some(({ name }) => name === track.name)) this.#play()
      })
    }
    this.#sound = new Listening(ring, this.#playhead, { arrived, malformed, failed: audioFailed }, now)
  }

  /** Does what the page asks. */
  command(command: Exclude<Command, { type: 'start' }>): void {
    switch (command.type) {
      case 'connect':
        void this.#connect(command)
        break
      case 'disconnect':
        this.#disconnect()
        break
      case 'visible':
        this.#visible = command.visible
        this.#play()
        break
      case 'paused':
        this.#pause(command.paused)
        break
      case 'quality':
        this.#quality = command.quality
        this.#play()
        break
      case 'latency':
        if (command.target !== this.#target) this.#chooser.excuse(this.now())
        this.#target = command.target
        this.#retarget()
        break
      case 'viewport':
        this.#viewport = { width: command.width, height: command.height }
        break
      case 'audio':
        this.#sound.output(command.running, command.output)
        break
      case 'jump':
        this.#playhead.jump()
        this.#chooser.excuse(this.now())
        break
      case 'say':
        this.#seat?.say(command.id, command.say, this.#playhead.mediaTime(this.now()))
        break
      case 'read-timecode':
        this.notify({ type: 'timecode', id: command.id, timecode: this.display.readTimecode() })
        break
    }
  }

  /** An animation frame: draws what is due. */
  animate(): void {
    this.tick()
    const media = this.#playhead.mediaTime(this.now())
    if (media !== null) this.display.draw(media + DRAW_AHEAD_MS)
  }

  /** Time has passed. */
  tick(): void {
    const now = this.now()
    this.#pump()
    this.#seat?.tick(this.#playhead.mediaTime(now))
    if (this.#watching) this.#watchForStalls(now)
    if (now - this.#judgedAt >= 1_000) this.#judge(now)
    if (now - this.#reportedAt >= STATISTICS_EVERY_MS) this.#report(now)
  }

  /** The display drew a picture captured at `captured`. */
  shown(captured: number, rendition: string): void {
    const now = this.now()
    const media = this.#settling ? null : this.#playhead.mediaTime(now)
    this.#meter.shown(now, captured, media, this.#sound.heard)
    if (!this.#firstPicture) {
      this.#firstPicture = true
      this.#meter.started(now)
      this.notify({ type: 'first-picture' })
      this.#report(now)
    }
    this.#meter.rendition = rendition
    if (this.#state === 'buffering' || this.#state === 'connecting') this.#become('live')
  }

  /** The display passed a picture over. */
  dropped(): void {
    this.#meter.drop()
  }

  /** The display read a time from pixels. */
  timecode(captured: number, drawnAt: number): void {
    this.#meter.timecode(captured, drawnAt)
  }

  get #watching(): boolean {
    const playing = this.#state === 'live' || this.#state === 'buffering'
    return playing && this.#visible && !this.#paused && this.#pictures.track !== null
  }

  async #connect(options: Connect): Promise<void> {
    this.#disconnect()
    const attempt = ++this.#attempt
    this.#room = options.room
    this.#meter.begin(options.startedAt)
    this.#firstPicture = false
    this.#become('connecting')
    let session: Session
    try {
      session = await Session.connect({ ...options, timeout: CONNECT_TIMEOUT_MS })
    } catch (error) {
      if (attempt !== this.#attempt) return
      this.#become('unreachable', error instanceof Error ? error.message : String(error))
      return
    }
    if (attempt !== this.#attempt) {
      session.close()
      return
    }
    this.#session = session
    this.#meter.connected(session.protocol, session.negotiated)
    void session.closed.then(({ code, reason }) => {
      if (attempt !== this.#attempt) return
      this.#leave()
      this.#session = null
      this.#seat?.leave()
      this.#become(sessionDenied(code) ? 'not-allowed' : 'unreachable', reason)
    })
    this.#join()
    this.#takePart(session, options)
    // Without it the stream's return is found by asking again.
    const prefix = naming.stage(this.#room)
    session.watchNamespace(prefix, (present) => this.#published(attempt, present)).catch(() => undefined)
  }

  #disconnect(): void {
    this.#attempt += 1
    this.#leave()
    this.#seat?.leave()
    this.#session?.close()
    this.#session = null
  }

  /** The same viewer in the same room keeps its seat, and with it what it said and nobody answered. */
  #takePart(session: Session, { room, viewer }: Connect): void {
    if (this.#seat?.room !== room || this.#seat.viewer !== viewer) {
      const tell = (news: News): void => this.notify({ type: 'room', news })
      this.#seat = viewer === null ? null : new Seat(room, viewer, tell, this.now)
    }
    this.#seat?.join(session)
  }

  #published(attempt: number, present: boolean): void {
    if (attempt !== this.#attempt) return
    if (present) {
      if (this.#state === 'offline' || this.#state === 'ended') this.#join()
    } else if (this.#state !== 'ended') this.#offline()
  }

  /** Asks for the catalog; everything else follows from it. */
  #join(): void {
    const session = this.#session
    if (!session) return
    this.#leave()
    const feed = new CatalogFeed(session, this.#room, {
      catalog: (catalog) => this.#learn(catalog),
      unreadable: (reason) => {
        if (this.#catalog === null) this.#become('unplayable', reason)
      },
      ended: () => this.#end(),
      gone: () => this.#catalogOver(feed, 'offline', ''),
      denied: (reason) => this.#catalogOver(feed, 'not-allowed', reason),
    })
    this.#catalogFeed = feed
  }

  #catalogOver(feed: CatalogFeed, state: 'not-allowed' | 'offline', reason: string): void {
    if (this.#catalogFeed !== feed || this.#state === 'ended') return
    if (state === 'offline') this.#offline()
    else {
      this.#leave()
      this.#become('not-allowed', reason)
    }
  }

  /** There is no stream at present. It is asked for again, and joined when it is announced. */
  #offline(): void {
    this.#leave()
    this.#become('offline')
    this.#later(RETRY_OFFLINE_MS, () => {
      if (this.#state === 'offline') this.#join()
    })
  }

  /** The broadcast is over for good: what is here is played to its end. */
  #end(): void {
    if (this.#state === 'ended') return
    this.#become('ended')
    this.#later(DRAIN_MS, () => {
      if (this.#state === 'ended') this.#leave()
    })
  }

  /** Stops all tracks of the room; the session stays. */
  #leave(): void {
    if (this.#retry !== null) clearTimeout(this.#retry)
    this.#retry = null
    this.#catalogFeed?.cancel()
    this.#catalogFeed = null
    this.#catalog = null
    this.#failedTracks.clear()
    this.#stopPlaying()
  }

  #stopPlaying(): void {
    this.#pictures.stop()
    this.#sound.stop()
    this.#playhead.reset()
    this.#joinedAt = 0
    this.#meter.left()
  }

  #learn(catalog: Catalog): void {
    this.#catalog = catalog
    this.#meter.tracksSkipped = catalog.skipped
    if (catalog.isComplete) {
      this.#end()
      return
    }
    if (this.#state === 'ended') return
    this.#chooser.offer(catalog.video, this.#viewport, this.now())
    const renditions = catalog.video.map((track) => ({ name: track.name, label: label(track), bitrate: track.bitrate }))
    this.notify({ type: 'renditions', renditions, hasAudio: catalog.audio.length > 0 })
    this.#retarget()
    this.#play()
  }

  #retarget(): void {
    const tracks = [...(this.#catalog?.video ?? []), ...(this.#catalog?.audio ?? [])]
    const streamers = tracks.find((track) => track.targetLatency !== null)?.targetLatency ?? null
    this.#playhead.retarget(this.#target ?? streamers ?? DEFAULT_TARGET_MS)
  }

  /** Makes what is played what it should be, by catalog, choice, visibility and pause. */
  #play(): void {
    const { video, audio } = this.#catalog ?? { video: [], audio: [] }
    const session = this.#session
    if (!session || this.#paused || this.#state === 'ended' || (video.length === 0 && audio.length === 0)) return
    const before = this.#pictures.track === null && this.#sound.track === null
    if (before || this.#pictures.track === null) this.#chooser.excuse(this.now())
    if (before) this.#joinedAt = this.now()
    const usable = video.filter((track) => !this.#failedTracks.has(track.name))
    if (video.length > 0 && usable.length === 0) {
      this.#stopPlaying()
      this.#become('unplayable', video[0]?.codec ?? null)
      return
    }
    const byHand = usable.find((track) => track.name === this.#quality || label(track) === this.#quality)
    const automatic = usable.find((track) => track.name === this.#chooser.choice?.name) ?? usable[0]
    const wanted = byHand ?? automatic
    if (this.#visible && wanted) {
      if (this.#pictures.track === null) this.#meter.left()
      this.#pictures.watch(session, this.#room, wanted)
    } else this.#pictures.stop()
    const sound = audio[0]
    if (sound) this.#sound.listen(session, this.#room, sound)
    else this.#sound.stop()
    if (video.length === 0 && this.#state !== 'live') this.#become('live')
    if (this.#state === 'offline') this.#become('connecting')
  }

  #pause(paused: boolean): void {
    if (paused === this.#paused) return
    this.#paused = paused
    if (paused) {
      if (this.#state !== 'live' && this.#state !== 'buffering') {
        this.#paused = false
        return
      }
      this.#stopPlaying()
      this.#become('paused')
    } else {
      if (this.#state === 'paused') this.#become('buffering')
      this.#play()
    }
  }

  /** A rendition that is refused or breaks is asked for again; one that cannot be decoded is left out. */
  #pictureFailed(track: VideoTrack, code: number | null, reason: string): void {
    if (code === null) this.#failedTracks.add(track.name)
    else if (requestDenied(code)) {
      this.#leave()
      this.#become('not-allowed', reason)
      return
    }
    this.#later(RETRY_TRACK_MS, () => this.#play())
  }

  #later(delay: number, action: () => void): void {
    if (this.#retry !== null) clearTimeout(this.#retry)
    this.#retry = setTimeout(action, delay)
  }

  #pumpSoon(): void {
    if (this.#pumping) return
    this.#pumping = true
    queueMicrotask(() => {
      this.#pumping = false
      this.#pump()
    })
  }

  #pump(): void {
    const now = this.now()
    const needs = [this.#pictures.need, this.#sound.need].filter((need): need is Need => need !== null)
    this.#playhead.require(needs)
    const young = now - this.#joinedAt < SETTLE_AT_MOST_MS
    this.#settling = young && !(needs.length > 0 && this.#pictures.settled && this.#sound.settled)
    this.#playhead.tick(now, this.#settling ? 'at-once' : 'gently')
    const desired = this.#playhead.desired
    if (desired !== null && !this.#settling && this.#sound.track) this.#sound.aim(desired)
    this.#pictures.pump()
    this.#sound.pump()
    if (this.#settling) this.#pictures.forgive()
    if (!this.#firstPicture || this.#meter.waiting) this.display.drawFirst()
  }

  #watchForStalls(now: number): void {
    const interval = 1000 / (this.#pictures.track?.frameRate || 30)
    if (this.#meter.sinceShown(now) > Math.max(STALL_MS, 5 * interval) && this.#state === 'live') this.#become('buffering')
  }

  #judge(now: number): void {
    this.#judgedAt = now
    const { late, groups } = this.#pictures.losses
    const second = this.#meter.second(late + this.#pictures.framesSkipped, groups, this.#state === 'buffering')
    if (this.#quality !== 'auto' || !this.#watching) return
    if (this.#chooser.judge(second, this.#viewport, now)) this.#play()
  }

  #report(now: number): void {
    this.#reportedAt = now
    const video = this.#pictures.track
    const { late, groups } = this.#pictures.losses
    const { heard } = this.#sound
    const media = this.#playhead.mediaTime(now)
    const buffered = media === null ? 0 : this.#pictures.newest - media
    this.notify({
      type: 'statistics',
      statistics: {
        ...this.#meter.read(now),
        state: this.#state,
        targetMs: this.#playhead.desired,
        behindMs: Math.max(this.#playhead.behind, 0),
        width: this.display.width,
        height: this.display.height,
        bufferMs: Math.max(Number.isFinite(buffered) ? buffered : 0, 0),
        audioBufferMs: heard?.buffered ?? 0,
        framesDecoded: this.#pictures.framesDecoded,
        framesDropped: this.#meter.dropped + this.#pictures.framesSkipped,
        framesLate: late,
        groupsSkipped: groups,
        codec: video?.codec ?? null,
        audioCodec: this.#sound.track?.codec ?? null,
        audioLevel: heard?.level ?? 0,
        audioUnderruns: heard?.underruns ?? 0,
        rate: this.#playhead.rate,
      },
    })
  }

  #become(state: State, detail: string | null = null): void {
    if (state === this.#state && detail === null) return
    const now = this.now()
    if (state === 'buffering' && this.#state === 'live') this.#meter.stalled(now)
    if (this.#state === 'buffering' && state !== 'buffering') this.#meter.resumed(now)
    this.#state = state
    this.notify({ type: 'state', state, detail })
    this.#report(now)
  }
}
