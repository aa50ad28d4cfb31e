/** What the room says: subscriptions to its tracks, up to what is shown. */

import { requestDenied } from '../moqt/code'
import type { ReceivedObject, Session, Subscription, TrackEvents } from '../moqt/session'
import { ofViewer, onFeed, type TrackName } from '../naming'
import { GROUP, HISTORY, Log, readLine } from './chat'
import { readBullet, type Bullet } from './danmaku'
import * as desk from './desk'
import { Gaps } from './gaps'
import { parse } from './json'
import { readTally, type Tally } from './reactions'
import { readReply, type Reply } from './say'
import { Sequence } from './sequence'
import * as state from './state'

/** Lower is more urgent: the room's state before sound, bullets after the pictures, taps last. */
const PRIORITY = { replies: 24, state: 28, chat: 48, desk: 56, danmaku: 96, reactions: 160 } as const
/** Groups before the present one that hold the history. */
const GROUPS_BACK = HISTORY / GROUP
const RETRY_MS = 2_000

/** What the feeds tell. */
export interface Events {
  state(state: state.Snapshot): void
  chat(log: Log): void
  /** A chat line says that a message or everything of a viewer is gone, which bullets are told by, too. */
  gone(what: { readonly message?: number; readonly viewer?: string }): void
  bullet(bullet: Bullet): void
  tally(tally: Tally): void
  desk(desk: desk.Snapshot): void
  reply(reply: Reply): void
  /** The room lets nobody in. */
  denied(reason: string): void
}

/** All feeds of one viewer over one session. */
export class Feeds {
  readonly #log: Log
  readonly #subscriptions = new Map<string, Subscription>()
  readonly #timers = new Set<ReturnType<typeof setTimeout>>()
  #isOver = false

  constructor(
    private readonly session: Session,
    private readonly room: string,
    viewer: string,
    private readonly events: Events,
    private readonly now: () => number,
    log = new Log(),
  ) {
    this.#log = log
    this.#listen(ofViewer(room, viewer, 'replies'), PRIORITY.replies, {
      object: ({ payload }) => {
        const reply = readReply(parse(payload))
        if (reply) this.events.reply(reply)
      },
    })
    this.#states('state', state.readSnapshot, state.apply, (now) => this.events.state(now))
    this.#chat()
    this.#danmaku()
    this.#listen(onFeed(room, 'reactions'), PRIORITY.reactions, {
      object: ({ payload }) => this.events.tally(readTally(parse(payload))),
    })
  }

  /** Hears what moderators hear, too. */
  openDesk(): void {
    this.#states('desk', desk.readSnapshot, desk.apply, (now) => this.events.desk(now))
  }

  /** Stops all of it; nothing more is told. */
  cancel(): void {
    this.#isOver = true
    for (const subscription of this.#subscriptions.values()) subscription.cancel()
    for (const timer of this.#timers) clearTimeout(timer)
  }

  #states<T>(name: 'state' | 'desk', read: (value: unknown) => T, apply: (now: T, delta: unknown) => T, tell: (now: T) => void): void {
    const sequence = new Sequence(read, apply)
    const take = ({ group, object, payload }: ReceivedObject): void => {
      const now = sequence.take(group, object, parse(payload))
      if (now !== null) tell(now)
    }
    this.#listen(onFeed(this.room, name), PRIORITY[name], { object: take }, 0)
  }

  #chat(): void {
    const take = ({ payload }: ReceivedObject): void => {
      const line = readLine(parse(payload))
      if (line === null) return
      if (this.#log.take(line)) this.events.chat(this.#log)
      if (line.line === 'deleted') this.events.gone({ message: line.message })
      if (line.line === 'cleared') this.events.gone({ viewer: line.viewer })
    }
    this.#listen(onFeed(this.room, 'chat'), PRIORITY.chat, { object: take }, GROUPS_BACK)
  }

  /** A gap between datagrams is fetched while it is young enough to be worth it. */
  #danmaku(): void {
    const track = onFeed(this.room, 'danmaku')
    const gaps = new Gaps()
    const take = ({ payload }: ReceivedObject): void => {
      const bullet = readBullet(parse(payload))
      if (bullet) this.events.bullet(bullet)
    }
    this.#listen(track, PRIORITY.danmaku, {
      object: (object) => {
        const missing = gaps.take(this.now(), object.group, object.object)
        if (gaps.isNew) take(object)
        if (missing === null) return
        // What is only late comes by itself.
        this.#later(FETCH_AFTER_MS, () => {
          for (const { group, from, to } of gaps.wanted(this.now())) {
            this.session.fetch(track, group, from, to, {
              refused: () => undefined,
              object: (found) => {
                gaps.take(this.now(), found.group, found.object)
                if (gaps.isNew) take(found)
              },
            })
          }
        })
      },
    })
  }

  /** Subscribes, again after a while where the track is refused or ends; fetches what was before, where `back` is given. */
  #listen(track: TrackName, priority: number, { object }: Pick<TrackEvents, 'object'>, back: number | null = null): void {
    const take = (received: ReceivedObject): void => {
      if (!this.#isOver) object(received)
    }
    const again = (code: number, reason: string): void => {
      if (this.#isOver) return
      if (requestDenied(code)) this.events.denied(reason)
      else this.#later(RETRY_MS, () => this.#listen(track, priority, { object }, back))
    }
    const subscription = this.session.subscribe(track, priority, {
      accepted: () => {
        if (back !== null) this.session.joiningFetch(subscription, { refused: () => undefined, object: take }, back)
      },
      refused: again,
      done: again,
      object: take,
    })
    this.#subscriptions.set(track.name, subscription)
  }

  #later(delay: number, action: () => void): void {
    if (this.#isOver) return
    const timer = setTimeout(() => {
      this.#timers.delete(timer)
      action()
    }, delay)
    this.#timers.add(timer)
  }
}

const FETCH_AFTER_MS = 120
