/** One viewer's place in a room: what it hears and says, over as many sessions as it takes. */

import type { Publication } from '../moqt/publication'
import { requestDenied } from '../moqt/code'
import type { Session } from '../moqt/session'
import { ofViewer } from '../naming'
import { Log, type Message } from './chat'
import type { Bullet } from './danmaku'
import type * as desk from './desk'
import { Feeds } from './feeds'
import { moderates } from './identity'
import type { Pin } from './products'
import type { Tally } from './reactions'
import type { Reply, Say, You } from './say'
import { Speaker, type Outcome } from './speaker'
import type { Snapshot } from './state'
import { Timeline } from './timeline'

/** Views are told at most this often. */
const TELL_EVERY_MS = 80
const PUBLISH_AGAIN_MS = 1_000

/** How the connection to the room is. */
export type Link = 'joining' | 'joined' | 'lost' | 'denied'

/** What the page is told of the room. */
export type News =
  | { readonly kind: 'link'; readonly link: Link; readonly reason: string | null }
  | { readonly kind: 'state'; readonly state: Snapshot }
  | { readonly kind: 'chat'; readonly messages: readonly Message[] }
  | { readonly kind: 'bullet'; readonly bullet: Bullet }
  | { readonly kind: 'gone'; readonly message?: number; readonly viewer?: string }
  | { readonly kind: 'tally'; readonly tally: Tally }
  | { readonly kind: 'pin'; readonly pin: Pin | null }
  | { readonly kind: 'desk'; readonly desk: desk.Snapshot }
  | { readonly kind: 'you'; readonly you: You }
  | { readonly kind: 'outcome'; readonly outcome: Outcome }

/** The driver gives it sessions, sayings and ticks. */
export class Seat {
  readonly #speaker = new Speaker()
  readonly #log = new Log()
  readonly #bullets = new Timeline<Bullet>()
  readonly #pins = new Timeline<Pin | null>()
  #feeds: Feeds | null = null
  #publication: Publication | null = null
  #session: Session | null = null
  #publishAt = Infinity
  #hasDesk = false
  #toldAt = 0
  #link: Link = 'joining'
  #pin: Pin | null = null
  readonly #untold = new Map<'state' | 'chat' | 'desk', News>()

  constructor(
    readonly room: string,
    readonly viewer: string,
    private readonly tell: (news: News) => void,
    private readonly now: () => number,
  ) {}

  /** Takes part over a session. */
  join(session: Session): void {
    this.leave()
    this.#session = session
    this.#become('joining')
    this.#feeds = new Feeds(
      session,
      this.room,
      this.viewer,
      {
        state: (state) => {
          this.#untold.set('state', { kind: 'state', state })
          this.#pinned(state.pin)
        },
        chat: (log) => this.#untold.set('chat', { kind: 'chat', messages: log.messages }),
        gone: (what) => this.tell({ kind: 'gone', ...what }),
        bullet: (bullet) => this.#bullets.put(this.now(), bullet, bullet.media),
        tally: (tally) => this.tell({ kind: 'tally', tally }),
        desk: (desk) => this.#untold.set('desk', { kind: 'desk', desk }),
        reply: (reply) => this.#answered(reply),
        denied: (reason) => this.#become('denied', reason),
      },
      this.now,
      this.#log,
    )
    this.#publishAt = this.now()
    this.tick(null)
  }

  /** The session is over, or another room is wanted. What was said goes on waiting. */
  leave(): void {
    this.#feeds?.cancel()
    this.#feeds = null
    this.#session = null
    this.#publication = null
    this.#publishAt = Infinity
    this.#hasDesk = false
    this.#speaker.lost()
    if (this.#link !== 'denied') this.#become('lost')
  }

  /** Says something, at once or when there is a connection. `media` is where playback is, milliseconds. */
  say(id: number, say: Say, media: number | null): void {
    const refused = this.#speaker.say(this.now(), id, stamped(say, media))
    if (refused) this.tell({ kind: 'outcome', outcome: refused })
    this.#send()
  }

  /** Time has passed. `media` is the capture time that is shown, milliseconds. */
  tick(media: number | null): void {
    const now = this.now()
    if (now >= this.#publishAt) this.#publish()
    for (const outcome of this.#speaker.givenUp(now)) this.tell({ kind: 'outcome', outcome })
    this.#send()
    for (const bullet of this.#bullets.due(now, media)) this.tell({ kind: 'bullet', bullet })
    const pin = this.#pins.due(now, media).at(-1)
    if (pin !== undefined) this.tell({ kind: 'pin', pin })
    if (now - this.#toldAt >= TELL_EVERY_MS && this.#untold.size > 0) {
      this.#toldAt = now
      for (const news of this.#untold.values()) this.tell(news)
      this.#untold.clear()
    }
  }

  #publish(): void {
    const session = this.#session
    this.#publishAt = Infinity
    if (!session) return
    const publication = session.publish(ofViewer(this.room, this.viewer, 'say'), Math.floor(this.now()), {
      accepted: () => {
        if (publication !== this.#publication) return
        this.#speaker.connected(this.now())
        this.#become('joined')
        this.#send()
      },
      refused: (code, reason) => {
        if (publication !== this.#publication) return
        this.#speaker.lost()
        if (requestDenied(code)) this.#become('denied', reason)
        else this.#publishAt = this.now() + PUBLISH_AGAIN_MS
      },
    })
    this.#publication = publication
  }

  #send(): void {
    for (const { payload } of this.#speaker.poll(this.now())) this.#publication?.send(payload)
  }

  #answered(reply: Reply): void {
    if (reply.reply === 'you') {
      this.tell({ kind: 'you', you: reply })
      if (moderates(reply.role) && !this.#hasDesk) {
        this.#hasDesk = true
        this.#feeds?.openDesk()
      }
      return
    }
    const outcome = this.#speaker.answered(this.now(), reply)
    if (outcome) this.tell({ kind: 'outcome', outcome })
    this.#send()
  }

  #pinned(pin: Pin | null): void {
    if (pin?.product === this.#pin?.product && pin?.media === this.#pin?.media) return
    this.#pin = pin
    this.#pins.put(this.now(), pin, pin?.media ?? null)
  }

  #become(link: Link, reason: string | null = null): void {
    if (link === this.#link && reason === null) return
    this.#link = link
    this.tell({ kind: 'link', link, reason })
  }
}

/** With where in the broadcast it was said, microseconds. */
function stamped(say: Say, media: number | null): Say {
  if (media === null) return say
  const at = Math.round(media * 1_000)
  const isPin = say.kind === 'product' && say.act === 'pin'
  return say.kind === 'chat' || say.kind === 'danmaku' || isPin ? { ...say, media: at } : say
}
