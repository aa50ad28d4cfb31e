/** A track that this end publishes: one object a datagram, or a stream of its own where it is too large for one. */

import type { MoqtConnection } from '@moqt/webtransport'

/** Bytes of an object that fit into a browser's datagram with their header. */
const MAX_DATAGRAM = 1_150
/** Objects that wait for the network; more are let go, and whoever sent them sends them again. */
const MAX_QUEUED = 128
const PRIORITY = 0

/** What a publisher hears. */
export interface Events {
  /** The other end takes it: objects can be sent. */
  accepted(): void
  /** It is not taken, or no longer. */
  refused(code: number, reason: string): void
}

/** One publication in one session. */
export class Publication {
  /** Objects that were let go because too many waited, or because the network took none. */
  dropped = 0
  #next = 0n
  #queued = 0
  #last: Promise<void> = Promise.resolve()

  constructor(
    private readonly connection: MoqtConnection,
    private readonly alias: bigint,
    /** Grows from session to session, so that no object has the place of another. */
    private readonly group: bigint,
    readonly events: Events,
  ) {}

  /** Sends an object, after those before it. */
  send(payload: Uint8Array): void {
    if (this.#queued >= MAX_QUEUED) {
      this.dropped += 1
      return
    }
    const object = this.#next++
    this.#queued += 1
    this.#last = this.#last
      .then(() => this.#write(object, payload))
      .catch(() => {
        this.dropped += 1
      })
      .finally(() => {
        this.#queued -= 1
      })
  }

  async #write(object: bigint, payload: Uint8Array): Promise<void> {
    const { connection, alias, group } = this
    if (payload.length <= MAX_DATAGRAM) {
      await connection.sendDatagram(alias, group, object, payload, { publisherPriority: PRIORITY })
      return
    }
    const stream = await connection.openSubgroup(alias, group, object, { firstObject: true, publisherPriority: PRIORITY })
    await connection.sendObject(stream, object, payload)
    await connection.closeSubgroup(stream)
  }
}
