/** The subscription to a room's catalog: everything that is played follows from it. */

import { CatalogError, Follower, type Catalog } from './catalog'
import { DoneCode, requestDenied } from './moqt/code'
import type { Session, Subscription } from './moqt/session'
import * as naming from './naming'

const PRIORITY = 16

/** What it tells. */
export interface Events {
  catalog(catalog: Catalog): void
  /** What came is no catalog. */
  unreadable(reason: string): void
  /** The broadcast is over for good. */
  ended(): void
  /** There is none at present. */
  gone(): void
  /** The relay does not let this viewer in. */
  denied(reason: string): void
}

/** A running one, which begins with what the catalog's group held before. */
export class CatalogFeed {
  readonly #follower = new Follower()
  readonly #subscription: Subscription

  constructor(
    session: Session,
    room: string,
    private readonly events: Events,
  ) {
    const subscription = session.subscribe(naming.catalog(room), PRIORITY, {
      accepted: () => {
        // A publisher without a group before this one answers with an error: then all is still to come.
        session.joiningFetch(subscription, {
          refused: () => undefined,
          object: ({ group, object, payload }) => this.#take(group, object, payload),
        })
      },
      refused: (code, reason) => {
        if (requestDenied(code)) events.denied(reason)
        else events.gone()
      },
      done: (code, reason) => {
        if (code === DoneCode.unauthorized || code === DoneCode.expired) events.denied(reason)
        else if (code === DoneCode.trackEnded) events.ended()
        else events.gone()
      },
      object: ({ group, object, payload }) => this.#take(group, object, payload),
    })
    this.#subscription = subscription
  }

  /** Stops it. */
  cancel(): void {
    this.#subscription.cancel()
  }

  #take(group: number, object: number, payload: Uint8Array): void {
    let catalog: Catalog | null
    try {
      catalog = this.#follower.take(group, object, payload)
    } catch (error) {
      if (!(error instanceof CatalogError)) throw error
      this.events.unreadable(error.message)
      return
    }
    if (catalog) this.events.catalog(catalog)
  }
}
