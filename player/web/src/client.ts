/** The page's side of a viewer: its worker, its sound, and trying again when the relay is lost. */

import { AudioOutput } from './audio-output'
import { now } from './clock'
import type { Command, Notice, Rendition, State } from './messages'
import type { Say } from './room/say'
import { newId } from './room/speaker'
import type { News } from './room/seat'
import { NOTHING, type Statistics } from './statistics'
import { missing } from './support'
import workerUrl from './worker?worker&url'

const RETRY_MS = [1_000, 2_000, 4_000, 8_000, 15_000] as const
const MAX_READING = 16
const PATIENT_STATES: readonly State[] = ['connecting', 'unreachable']

/** Where the relay is. */
export interface Endpoint {
  /** `https://host:port/`. */
  readonly relay: string
  /** SHA-256 of its certificate in hex; `null` where browsers trust it anyway. */
  readonly certHash: string | null
}

/** Who the viewer is there. */
export interface Admission {
  /** Shown to the relay in SETUP; `null` for none. */
  readonly token: string | null
  /** Who takes part; `null` where it only watches. */
  readonly viewer: string | null
}

/** What to watch. */
export interface Ticket {
  readonly room: string
  /** Lets the viewer in; asked anew before every attempt, as a token may have expired. */
  readonly admit: () => Promise<Admission>
  /** Finds the relay; asked anew before every attempt, as a restarted relay may have another certificate. */
  readonly locate: () => Promise<Endpoint>
}

/** What the page shows. */
export interface View {
  readonly state: State
  readonly detail: string | null
  /** Local time of the next attempt, milliseconds since the Unix epoch; `null` where none is planned. */
  readonly retryAt: number | null
  readonly renditions: readonly Rendition[]
  readonly rendition: string | null
  readonly hasAudio: boolean
  /** Whether a picture was shown since the room was entered. */
  readonly hasPicture: boolean
  readonly aspect: number
  /** Whether the browser lets sound out. */
  readonly audible: boolean
}

const BLANK: View = {
  state: 'connecting',
  detail: null,
  retryAt: null,
  renditions: [],
  rendition: null,
  hasAudio: false,
  hasPicture: false,
  aspect: 16 / 9,
  audible: false,
}

/** One viewer on a page. Closing it ends the worker, the connection and the sound. */
export class Client {
  /** The last numbers from the worker. */
  statistics: Statistics = NOTHING
  #view: View = BLANK
  #worker: Worker | null = null
  #audio: AudioOutput | null = null
  #ticket: Ticket | null = null
  #attempts = 0
  #entered = 0
  #retry: ReturnType<typeof setTimeout> | null = null
  #startedAt = 0
  #readings = 0
  readonly #reading = new Map<number, (timecode: number | null) => void>()

  constructor(
    private readonly canvas: HTMLCanvasElement,
    private readonly changed: () => void,
    private readonly coloured: (colours: ImageBitmap) => void,
    private readonly heard: (news: News) => void = () => undefined,
  ) {}

  /** What the page shows at present. */
  get view(): View {
    return this.#view
  }

  /** Enters a room, leaving the one before. `startedAt` is when the viewer asked for it. */
  enter(ticket: Ticket, startedAt: number): void {
    this.#ticket = ticket
    this.#entered += 1
    this.#attempts = 0
    this.#startedAt = startedAt
    const lacking = missing()
    if (lacking.length > 0) {
      this.#show({ ...BLANK, state: 'unsupported', detail: lacking.join(', ') })
      return
    }
    this.#start()
    this.#show({ ...BLANK, audible: this.#view.audible, hasPicture: this.#view.hasPicture })
    void this.#connect()
  }

  /** Tries the relay at once. */
  retryNow(): void {
    if (this.#retry !== null) clearTimeout(this.#retry)
    this.#retry = null
    void this.#connect()
  }

  /** Tells the worker something. */
  send(command: Command): void {
    this.#worker?.postMessage(command)
  }

  /** Says something in the room; the answer's `outcome` has the number that is returned. */
  say(say: Say): number {
    const id = newId()
    this.send({ type: 'say', id, say })
    return id
  }

  /** The time that the test pattern burned into the picture on the canvas, microseconds; `null` where there is none. */
  readTimecode(): Promise<number | null> {
    if (!this.#worker || this.#reading.size >= MAX_READING) return Promise.resolve(null)
    const id = ++this.#readings
    this.send({ type: 'read-timecode', id })
    return new Promise((resolve) => this.#reading.set(id, resolve))
  }

  /** Asks the browser to let sound out; works inside a click or key press. */
  async resumeAudio(): Promise<boolean> {
    return (await this.#audio?.resume()) ?? false
  }

  /** @param volume 0 to 1 */
  setVolume(volume: number, muted: boolean): void {
    this.#audio?.set(volume, muted)
  }

  close(): void {
    if (this.#retry !== null) clearTimeout(this.#retry)
    this.#entered += 1
    this.send({ type: 'disconnect' })
    this.#worker?.terminate()
    this.#worker = null
    for (const resolve of this.#reading.values()) resolve(null)
    this.#reading.clear()
    this.#audio?.close()
    this.#audio = null
  }

  #start(): void {
    if (this.#worker) return
    const worker = startWorker()
    worker.onmessage = ({ data }: MessageEvent<Notice>) => this.#noticed(data)
    worker.onerror = (event) => this.#show({ ...this.#view, state: 'unplayable', detail: event.message })
    this.#worker = worker
    const canvas = this.canvas.transferControlToOffscreen()
    const sound = new MessageChannel()
    worker.postMessage({ type: 'start', canvas, audio: sound.port1 } satisfies Command, [canvas, sound.port1])
    const audio = new AudioOutput((running, output) => {
      this.send({ type: 'audio', running, output })
      if (running !== this.#view.audible) this.#show({ ...this.#view, audible: running })
    })
    this.#audio = audio
    // Without the worklet there is a picture without sound.
    audio.start(sound.port2).catch((error: unknown) => console.warn('no sound:', error))
  }

  async #connect(): Promise<void> {
    const ticket = this.#ticket
    const entered = this.#entered
    if (!ticket) return
    let endpoint: Endpoint
    let admission: Admission
    try {
      ;[endpoint, admission] = await Promise.all([ticket.locate(), ticket.admit()])
    } catch (error) {
      if (entered === this.#entered) this.#unreachable(error instanceof Error ? error.message : String(error))
      return
    }
    if (entered !== this.#entered) return
    const { room } = ticket
    const { token, viewer } = admission
    const { relay: url, certHash } = endpoint
    const startedAt = this.#attempts === 0 ? this.#startedAt : now()
    this.send({ type: 'connect', url, certHash, room, token, viewer, startedAt })
  }

  #unreachable(detail: string | null): void {
    const wait = RETRY_MS[Math.min(this.#attempts, RETRY_MS.length - 1)] ?? 1_000
    this.#attempts += 1
    if (this.#retry !== null) clearTimeout(this.#retry)
    this.#retry = setTimeout(() => this.retryNow(), wait)
    this.#show({ ...this.#view, state: 'unreachable', detail, retryAt: now() + wait })
  }

  #noticed(notice: Notice): void {
    switch (notice.type) {
      case 'state':
        if (notice.state === 'unreachable') this.#unreachable(notice.detail)
        else {
          if (!PATIENT_STATES.includes(notice.state)) this.#attempts = 0
          // While trying again the page keeps saying so, instead of flickering.
          const again = notice.state === 'connecting' && this.#attempts > 0
          this.#show({ ...this.#view, state: again ? 'unreachable' : notice.state, detail: notice.detail, retryAt: null })
        }
        break
      case 'renditions':
        this.#show({ ...this.#view, renditions: notice.renditions, hasAudio: notice.hasAudio })
        break
      case 'rendition':
        this.#show({ ...this.#view, rendition: notice.name })
        break
      case 'size':
        this.#show({ ...this.#view, aspect: notice.width / notice.height })
        break
      case 'first-picture':
        this.#show({ ...this.#view, hasPicture: true })
        break
      case 'statistics':
        this.statistics = notice.statistics
        this.changed()
        break
      case 'colours':
        this.coloured(notice.colours)
        break
      case 'room':
        this.heard(notice.news)
        break
      case 'timecode':
        this.#reading.get(notice.id)?.(notice.timecode)
        this.#reading.delete(notice.id)
        break
    }
  }

  #show(view: View): void {
    this.#view = view
    this.changed()
  }
}

/** A worker's script has to come from the page's own site; what it imports may come from the relay's. */
function startWorker(): Worker {
  const options = { type: 'module', name: 'live-room' } as const
  const script = new URL(workerUrl, import.meta.url)
  if (script.origin === location.origin) return new Worker(script, options)
  const text = `import ${JSON.stringify(script.href)}`
  // Not revoked: browsers differ in when they read it.
  return new Worker(URL.createObjectURL(new Blob([text], { type: 'text/javascript' })), options)
}
