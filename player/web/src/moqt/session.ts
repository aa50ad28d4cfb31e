/** A MoQT draft-18 session over WebTransport, as a viewer sees it. */

import { varint, type ControlMessage, type MoqtObject } from '@moqt/transport'
import { MoqtConnection } from '@moqt/webtransport'

import type { TrackName } from '../naming'
import { RequestCode } from './code'
import { Publication, type Events as PublicationEvents } from './publication'

const PROTOCOL = 'moqt-18'
const ANSWER_TIMEOUT_MS = 6_000
const MAX_EARLY_OBJECTS = 512
const MAX_ENDED_ALIASES = 256
const MAX_EARLY_NAMESPACES = 32
/** Object statuses after which a group has nothing more (draft-18 §11.2.1). */
const END_OF_GROUP = 0x3n
const END_OF_TRACK = 0x4n

/** Where and how to connect. */
export interface Options {
  /** `https://host:port/`. */
  readonly url: string
  /** SHA-256 of the relay's certificate in hex; `null` where it is one that browsers trust. */
  readonly certHash: string | null
  /** Shown to the relay in SETUP; `null` for none. */
  readonly token: string | null
  /** Milliseconds to wait for the session. */
  readonly timeout: number
}

/** What a subscriber hears of a track. */
export interface TrackEvents {
  /** The publisher agreed: objects come. */
  accepted?(): void
  /** The request was refused; nothing more comes. */
  refused(code: number, reason: string): void
  /** The publisher ended the subscription; nothing more comes. */
  done?(code: number, reason: string): void
  object(object: ReceivedObject): void
  /** A stream of a subgroup begins. */
  opened?(group: number, subgroup: number): void
  /** A stream of a subgroup is over. */
  closed?(group: number, subgroup: number, how: 'finished' | 'reset'): void
  /** The group has no object from `end` on. */
  endOfGroup?(group: number, end: number): void
}

/** An object of a track. IDs above 2^53 are not exact; nobody counts that far. */
export interface ReceivedObject {
  readonly group: number
  readonly subgroup: number
  readonly object: number
  readonly properties: Uint8Array | undefined
  readonly payload: Uint8Array
}

/** A running request. */
export interface Request {
  /** Stops it; nothing of it is heard afterwards. */
  cancel(): void
}

/** How a session ended. */
export interface Closed {
  readonly code: number
  readonly reason: string
}

interface Pending {
  readonly events: TrackEvents
  alias: bigint | null
  timer: ReturnType<typeof setTimeout> | null
}

type Data =
  | { readonly kind: 'subgroup'; readonly alias: bigint; readonly group: number; subgroup: number }
  | { readonly kind: 'fetch'; readonly request: bigint }

type Early = (events: TrackEvents) => void

/** A session. It ends by `close()` or by itself, once; `closed` then resolves. */
export class Session {
  /** Resolves when the session is over, whoever ended it. */
  readonly closed: Promise<Closed>
  readonly #connection = new MoqtConnection(18)
  readonly #requests = new Map<bigint, Pending>()
  readonly #byAlias = new Map<bigint, Pending>()
  readonly #streams = new Map<bigint, Data>()
  readonly #namespaces = new Map<bigint, (present: boolean) => void>()
  readonly #earlyNamespaces = new Map<bigint, boolean[]>()
  readonly #early = new Map<bigint, Early[]>()
  readonly #ended = new Set<bigint>()
  readonly #publications = new Map<bigint, Publication>()
  /** Answers that came before the request's ID was known here. */
  readonly #earlyAnswers = new Map<bigint, ControlMessage>()
  #nextAlias = 1n
  #earlyCount = 0
  #close: (closed: Closed) => void = () => undefined

  private constructor(private readonly transport: WebTransport) {
    this.closed = new Promise((resolve) => {
      this.#close = resolve
    })
    const connection = this.#connection
    connection.onClose = (code, reason) => this.#over({ code: code ?? 0, reason: reason ?? '' })
    connection.onError = (error) => {
      if ('isFatal' in error && error.isFatal === true) this.#over({ code: 0, reason: error.message })
    }
    connection.onMessage = (message) => this.#message(message)
    connection.onNamespaceMessage = (request, message) => {
      if (message.type === 'NAMESPACE') this.#namespace(request, true)
      else if (message.type === 'NAMESPACE_DONE') this.#namespace(request, false)
    }
    connection.onDataStream = (stream, { type, header }) => {
      if (type === 'fetch') this.#streams.set(stream, { kind: 'fetch', request: header.requestId })
      else this.#opened(stream, header.trackAlias, Number(header.groupId), Number(header.subgroupId))
    }
    connection.onObject = (stream, object) => this.#object(stream, object)
    connection.onDatagram = ({ trackAlias, groupId, objectId, extensions, payload, status }) => {
      if (status !== undefined) return
      const object = { group: Number(groupId), subgroup: 0, object: Number(objectId), properties: extensions, payload }
      this.#tell(trackAlias, (events) => events.object(object))
    }
    connection.onStreamClosed = (stream, error) => this.#streamClosed(stream, error)
  }

  /**
   * Connects and exchanges SETUP.
   * @throws where there is no relay, it refuses, or it takes longer than `timeout`.
   */
  static async connect(options: Options): Promise<Session> {
    const transport = open(options)
    let timer: ReturnType<typeof setTimeout> | undefined
    const late = new Promise<never>((_, reject) => {
      timer = setTimeout(() => reject(new Error(`no answer within ${options.timeout} ms`)), options.timeout)
    })
    const session = new Session(transport)
    try {
      await Promise.race([session.#setUp(options.token), late])
      return session
    } catch (error) {
      session.close()
      throw error
    } finally {
      clearTimeout(timer)
    }
  }

  /** The subprotocol that was agreed on. Browsers that cannot negotiate one speak it all the same. */
  get protocol(): string {
    return (this.transport as WebTransport & { protocol?: string }).protocol || PROTOCOL
  }

  /** Whether the browser negotiated the subprotocol. */
  get negotiated(): boolean {
    return Boolean((this.transport as WebTransport & { protocol?: string }).protocol)
  }

  /** Subscribes to a track, unfiltered. Lower priorities are more urgent. */
  subscribe(track: TrackName, priority: number, events: TrackEvents): Subscription {
    const subscription = new Subscription((id) => this.#cancel(id))
    const onRequestId = (id: bigint): void => {
      subscription.id = id
      this.#requests.set(id, this.#pending(id, events))
    }
    const options = { subscriberPriority: varint(priority), onRequestId }
    this.#connection
      .subscribe(track.namespace.map(encode), encode(track.name), options)
      .catch((error: unknown) => this.#failed(subscription.id, events, error))
    return subscription
  }

  /**
   * Fetches what a subscription's present group, and `back` groups before it, held before it joined
   * (draft-18 §10.12.2).
   */
  joiningFetch(subscription: Subscription, events: TrackEvents, back = 0): void {
    const joiningRequestId = subscription.id
    if (joiningRequestId === null) return
    const joiningStart = BigInt(back)
    this.#fetch(events, (onRequestId) =>
      this.#connection.joiningFetch({ joiningFetchType: 'relative', joiningRequestId, joiningStart, onRequestId }),
    )
  }

  /** Fetches objects `from` to `to` (left out) of a group. */
  fetch(track: TrackName, group: number, from: number, to: number, events: TrackEvents): void {
    const [startGroup, startObject, endObject] = [BigInt(group), BigInt(from), BigInt(to)]
    this.#fetch(events, (onRequestId) => {
      const range = { startGroup, startObject, endGroup: startGroup, endObject, onRequestId }
      return this.#connection.fetch(track.namespace.map(encode), encode(track.name), range)
    })
  }

  /** Publishes a track of one's own (draft-18 §10.10). `group` grows from session to session. */
  publish(track: TrackName, group: number, events: PublicationEvents): Publication {
    const alias = this.#nextAlias++
    const publication = new Publication(this.#connection, alias, BigInt(group), events)
    this.#connection.publish(track.namespace.map(encode), encode(track.name), alias).then(
      (id) => {
        this.#publications.set(id, publication)
        const early = this.#earlyAnswers.get(id)
        this.#earlyAnswers.delete(id)
        if (early) this.#message(early)
      },
      (error: unknown) => events.refused(RequestCode.timeout, String(error)),
    )
    return publication
  }

  /** Hears when a namespace below `prefix` is published and withdrawn. */
  async watchNamespace(prefix: readonly string[], changed: (present: boolean) => void): Promise<void> {
    const request = await this.#connection.subscribeNamespace(prefix.map(encode), varint(0))
    this.#namespaces.set(request, changed)
    for (const present of this.#earlyNamespaces.get(request) ?? []) changed(present)
    this.#earlyNamespaces.delete(request)
  }

  /** Ends the session. */
  close(): void {
    void this.#connection.close(varint(0), 'the viewer leaves').catch(() => undefined)
    try {
      this.transport.close()
    } catch {
      // It is closed already.
    }
    this.#over({ code: 0, reason: 'closed here' })
  }

  async #setUp(token: string | null): Promise<void> {
    await this.transport.ready
    const implementation = 'live-room-web'
    const options = token === null ? { implementation } : { implementation, authTokens: [tokenByValue(token)] }
    await this.#connection.connect(this.transport, options)
  }

  #fetch(events: TrackEvents, ask: (onRequestId: (id: bigint) => void) => Promise<bigint>): void {
    let request: bigint | null = null
    const onRequestId = (id: bigint): void => {
      request = id
      this.#requests.set(id, this.#pending(id, events))
    }
    ask(onRequestId).catch((error: unknown) => this.#failed(request, events, error))
  }

  /** A message may come before the request's ID is known here. */
  #namespace(request: bigint, present: boolean): void {
    const changed = this.#namespaces.get(request)
    if (changed) changed(present)
    else if (this.#earlyNamespaces.size < MAX_EARLY_NAMESPACES) {
      this.#earlyNamespaces.set(request, [...(this.#earlyNamespaces.get(request) ?? []).slice(-1), present])
    }
  }

  #pending(id: bigint, events: TrackEvents): Pending {
    const timer = setTimeout(() => {
      this.#cancel(id)
      events.refused(RequestCode.timeout, 'the relay did not answer in time')
    }, ANSWER_TIMEOUT_MS)
    return { events, alias: null, timer }
  }

  #failed(id: bigint | null, events: TrackEvents, error: unknown): void {
    if (id !== null && !this.#forget(id)) return
    events.refused(RequestCode.timeout, error instanceof Error ? error.message : String(error))
  }

  #message(message: ControlMessage): void {
    switch (message.type) {
      case 'SUBSCRIBE_OK': {
        const pending = this.#answered(message.requestId)
        if (!pending) return
        const alias = message.trackAlias
        pending.alias = alias
        this.#byAlias.set(alias, pending)
        this.#ended.delete(alias)
        pending.events.accepted?.()
        const early = this.#early.get(alias) ?? []
        this.#early.delete(alias)
        this.#earlyCount -= early.length
        for (const event of early) event(pending.events)
        return
      }
      case 'FETCH_OK':
        this.#answered(message.requestId)?.events.accepted?.()
        return
      case 'REQUEST_OK': {
        const publication = this.#publications.get(message.requestId)
        if (publication) publication.events.accepted()
        else this.#keepEarly(message.requestId, message)
        return
      }
      case 'REQUEST_ERROR': {
        const publication = this.#publications.get(message.requestId)
        this.#publications.delete(message.requestId)
        publication?.events.refused(Number(message.errorCode), message.errorReason)
        if (!publication && !this.#requests.has(message.requestId)) this.#keepEarly(message.requestId, message)
        const pending = this.#forget(message.requestId)
        pending?.events.refused(Number(message.errorCode), message.errorReason)
        return
      }
      case 'PUBLISH_DONE': {
        const pending = this.#forget(message.requestId)
        pending?.events.done?.(Number(message.statusCode), message.errorReason)
        return
      }
      case 'GOAWAY':
        this.#over({ code: 0, reason: 'the relay is going away' })
        return
      default:
    }
  }

  #keepEarly(id: bigint, answer: ControlMessage): void {
    if (this.#earlyAnswers.size < MAX_EARLY_NAMESPACES) this.#earlyAnswers.set(id, answer)
  }

  #answered(id: bigint): Pending | undefined {
    const pending = this.#requests.get(id)
    if (pending?.timer) clearTimeout(pending.timer)
    if (pending) pending.timer = null
    return pending
  }

  #forget(id: bigint): Pending | undefined {
    const pending = this.#answered(id)
    this.#requests.delete(id)
    if (pending?.alias != null) this.#retire(pending.alias)
    return pending
  }

  #retire(alias: bigint): void {
    this.#byAlias.delete(alias)
    this.#ended.add(alias)
    if (this.#ended.size > MAX_ENDED_ALIASES) {
      for (const oldest of this.#ended) {
        this.#ended.delete(oldest)
        break
      }
    }
  }

  #cancel(id: bigint): void {
    if (this.#forget(id)) void this.#connection.unsubscribe(id).catch(() => undefined)
  }

  #opened(stream: bigint, alias: bigint, group: number, subgroup: number): void {
    this.#streams.set(stream, { kind: 'subgroup', alias, group, subgroup })
    this.#tell(alias, (events) => events.opened?.(group, subgroup))
  }

  #object(stream: bigint, object: MoqtObject): void {
    const data = this.#streams.get(stream)
    if (!data) return
    const group = Number(object.groupId)
    const subgroup = Number(object.subgroupId)
    const deliver = (events: TrackEvents): void => {
      if (object.kind === 'gap') {
        const ends = object.status === END_OF_GROUP || object.status === END_OF_TRACK
        if (ends && data.kind === 'subgroup') events.endOfGroup?.(group, Number(object.objectId))
      } else {
        const { properties, payload } = object
        events.object({ group, subgroup, object: Number(object.objectId), properties, payload })
      }
    }
    if (data.kind === 'fetch') {
      const events = this.#requests.get(data.request)?.events
      if (events) deliver(events)
    } else {
      data.subgroup = subgroup
      this.#tell(data.alias, deliver)
    }
  }

  #streamClosed(stream: bigint, error: number | undefined): void {
    const data = this.#streams.get(stream)
    this.#streams.delete(stream)
    if (data?.kind === 'fetch') this.#forget(data.request)
    else if (data) {
      const how = error === undefined ? 'finished' : 'reset'
      this.#tell(data.alias, (events) => events.closed?.(data.group, data.subgroup, how))
    }
  }

  /** Tells the subscription of an alias; before SUBSCRIBE_OK names it, keeps what came (and drops the rest). */
  #tell(alias: bigint, event: Early): void {
    const pending = this.#byAlias.get(alias)
    if (pending) {
      event(pending.events)
      return
    }
    const waiting = [...this.#requests.values()].some((request) => request.alias === null)
    if (!waiting || this.#ended.has(alias) || this.#earlyCount >= MAX_EARLY_OBJECTS) return
    this.#early.set(alias, [...(this.#early.get(alias) ?? []), event])
    this.#earlyCount += 1
  }

  #over(closed: Closed): void {
    for (const { timer } of this.#requests.values()) if (timer) clearTimeout(timer)
    this.#requests.clear()
    this.#byAlias.clear()
    this.#early.clear()
    this.#close(closed)
  }
}

/** A subscription. */
export class Subscription implements Request {
  /** Request ID, once it has one. */
  id: bigint | null = null

  constructor(private readonly onCancel: (id: bigint) => void) {}

  cancel(): void {
    if (this.id !== null) this.onCancel(this.id)
  }
}

function open({ url, certHash }: Options): WebTransport {
  const serverCertificateHashes = certHash === null ? [] : [{ algorithm: 'sha-256', value: hex(certHash) }]
  const options: WebTransportOptions & { protocols: string[] } = {
    protocols: [PROTOCOL],
    ...(serverCertificateHashes.length > 0 ? { serverCertificateHashes } : {}),
  }
  const transport = new WebTransport(url, options)
  transport.closed.catch(() => undefined)
  return transport
}

/** Alias Type USE_VALUE, Token Type 0 (agreed out of band), the token (draft-18 §10.2.2). */
function tokenByValue(token: string): Uint8Array {
  return Uint8Array.of(3, 0, ...encode(token))
}

function hex(text: string): Uint8Array<ArrayBuffer> {
  const bytes = text.replace(/[^0-9a-fA-F]/g, '').match(/../g) ?? []
  return Uint8Array.from(bytes, (byte) => Number.parseInt(byte, 16))
}

function encode(text: string): Uint8Array {
  return new TextEncoder().encode(text)
}
