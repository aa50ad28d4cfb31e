/** A subscription to one media track, up to frames in decode order. */

import { Depackager, type Dependence, type Frame } from './depackage'
import { Estimator } from './jitter'
import { decode, type Header } from './loc'
import type { ReceivedObject, Session, Subscription } from './moqt/session'
import type { TrackName } from './naming'

/** What a feed tells. */
export interface Events {
  /** Something came: frames may be ready. */
  arrived(bytes: number): void
  /** The track is not to be had, or is over. */
  over(how: 'refused' | 'done', code: number, reason: string): void
  /** An object came that is not LOC; it is left out. */
  malformed(): void
}

/** A running feed. */
export class Feed {
  readonly depackager: Depackager
  readonly transit = new Estimator()
  /** What decoding takes lately, milliseconds; it delays when a frame is ready. */
  decoding = 0
  readonly #subscription: Subscription
  #cancelled = false

  constructor(
    session: Session,
    readonly track: TrackName,
    priority: number,
    dependence: Dependence,
    private readonly events: Events,
    private readonly now: () => number,
  ) {
    this.depackager = new Depackager(dependence)
    this.#subscription = session.subscribe(track, priority, {
      refused: (code, reason) => this.#over('refused', code, reason),
      done: (code, reason) => this.#over('done', code, reason),
      object: (object) => this.#object(object),
      opened: (group, subgroup) => this.depackager.opened(group, subgroup),
      closed: (group, subgroup, how) => {
        this.depackager.closed(group, subgroup, how)
        this.#arrived(0)
      },
      endOfGroup: (group, end) => {
        this.depackager.endOfGroup(group, end)
        this.#arrived(0)
      },
    })
  }

  /** Stops it; it tells nothing more. */
  cancel(): void {
    this.#cancelled = true
    this.#subscription.cancel()
  }

  #object({ group, subgroup, object, properties, payload }: ReceivedObject): void {
    if (this.#cancelled) return
    const arrival = this.now()
    let header: Header
    try {
      header = decode(properties)
    } catch {
      this.events.malformed()
      return
    }
    const frame: Frame = { group, subgroup, object, header, payload, arrival }
    this.transit.add(arrival + this.decoding, header.timestamp / 1000)
    this.depackager.insert(frame)
    this.#arrived(payload.length)
  }

  #arrived(bytes: number): void {
    if (!this.#cancelled) this.events.arrived(bytes)
  }

  #over(how: 'refused' | 'done', code: number, reason: string): void {
    if (!this.#cancelled) this.events.over(how, code, reason)
  }
}
