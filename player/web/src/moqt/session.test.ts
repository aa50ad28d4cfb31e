import { MoqtConnection, type WebTransportLike } from '@moqt/webtransport'
import { varint } from '@moqt/transport'
import { afterEach, expect, it, vi } from 'vitest'

import { Session, type TrackEvents } from './session'

const text = (bytes: Uint8Array): string => new TextDecoder().decode(bytes)
const bytes = (said: string): Uint8Array => new TextEncoder().encode(said)

/** A stream of byte streams that the other end opens. */
function incoming<T>(): { readonly stream: ReadableStream<T>; push: (value: T) => void } {
  let push: (value: T) => void = () => undefined
  const stream = new ReadableStream<T>({
    start(controller) {
      push = (value) => controller.enqueue(value)
    },
  })
  return { stream, push }
}

/** A pipe that takes some chunks before they are read, as a network does. */
function pipe(): TransformStream<Uint8Array, Uint8Array> {
  return new TransformStream<Uint8Array, Uint8Array>({}, { highWaterMark: 64 }, { highWaterMark: 64 })
}

/** Two ends of a WebTransport session in memory. */
function pair(): [WebTransportLike, WebTransportLike] {
  const ends = [0, 1].map(() => ({
    uni: incoming<ReadableStream<Uint8Array>>(),
    bidi: incoming<{ readable: ReadableStream<Uint8Array>; writable: WritableStream<Uint8Array> }>(),
  }))
  const end = (own: number): WebTransportLike => {
    const [mine, other] = [ends[own], ends[1 - own]]
    if (!mine || !other) throw new Error('there are two ends')
    return {
      ready: Promise.resolve(),
      protocol: 'moqt-18',
      incomingUnidirectionalStreams: mine.uni.stream,
      incomingBidirectionalStreams: mine.bidi.stream,
      datagrams: { readable: new ReadableStream<Uint8Array>(), writable: new WritableStream<Uint8Array>() },
      closed: new Promise(() => undefined),
      close: () => undefined,
      createUnidirectionalStream: () => {
        const { readable, writable } = pipe()
        other.uni.push(readable)
        return Promise.resolve(writable)
      },
      createBidirectionalStream: () => {
        const up = pipe()
        const down = pipe()
        other.bidi.push({ readable: up.readable, writable: down.writable })
        return Promise.resolve({ readable: down.readable, writable: up.writable })
      },
    } as WebTransportLike
  }
  return [end(0), end(1)]
}

/** A session with a relay that `prepare` tells what to do. */
async function connected(prepare: (relay: MoqtConnection) => void): Promise<Session> {
  const [viewer, server] = pair()
  vi.stubGlobal('WebTransport', function WebTransport() {
    return viewer
  })
  const relay = new MoqtConnection(18, { role: 'server' })
  prepare(relay)
  const up = relay.connect(server)
  const session = await Session.connect({ url: 'https://relay.test/', certHash: null, token: null, timeout: 2_000 })
  await up
  return session
}

/** Events of a track as lines. */
function log(): TrackEvents & { readonly lines: string[] } {
  const lines: string[] = []
  return {
    lines,
    accepted: () => lines.push('accepted'),
    refused: (code, reason) => lines.push(`refused ${code} ${reason}`),
    done: (code) => lines.push(`done ${code}`),
    object: ({ group, subgroup, object, payload }) => lines.push(`${group}/${subgroup}/${object} ${text(payload)}`),
    opened: (group, subgroup) => lines.push(`opened ${group}/${subgroup}`),
    closed: (group, subgroup, how) => lines.push(`closed ${group}/${subgroup} ${how}`),
    endOfGroup: (group, end) => lines.push(`end of ${group} at ${end}`),
  }
}

const track = { namespace: ['room', 'demo', 'stage'], name: 'video-720p' }

afterEach(() => {
  vi.unstubAllGlobals()
})

it('subscribes with its priority and hears every object of every subgroup', async () => {
  const asked: string[] = []
  const session = await connected((relay) => {
    relay.onSubscribe = (request, namespace, name, parameters) => {
      asked.push([...namespace.map(text), text(name)].join('/'), String(parameters.get(0x20n)))
      void (async () => {
        await relay.acceptSubscribe(request, 7n)
        const base = await relay.openSubgroup(7n, 40n, 0n, { hasExtensions: true })
        await relay.sendObject(base, 0n, bytes('key'), Uint8Array.of(0x10, 5))
        const layer = await relay.openSubgroup(7n, 40n, 1n, { endOfGroup: true })
        await relay.sendObject(layer, 1n, bytes('between'))
        await relay.sendObject(base, 2n, bytes('next'), Uint8Array.of(0x10, 6))
        await relay.closeSubgroup(base)
        await relay.closeSubgroup(layer)
      })()
    }
  })
  const events = log()
  const properties: (Uint8Array | undefined)[] = []
  session.subscribe(track, 64, {
    ...events,
    object: (object) => {
      properties.push(object.properties)
      events.object(object)
    },
  })
  await vi.waitFor(() => expect(events.lines).toContain('closed 40/1 finished'))
  expect(asked).toEqual(['room/demo/stage/video-720p', '64'])
  expect(events.lines.filter((line) => line.startsWith('40/0'))).toEqual(['40/0/0 key', '40/0/2 next'])
  expect(events.lines).toEqual(expect.arrayContaining(['accepted', '40/1/1 between', 'end of 40 at 2', 'closed 40/0 finished']))
  expect(properties).toContainEqual(Uint8Array.of(0x10, 5))
})

it('hears why it is refused, and that a track is over', async () => {
  const session = await connected((relay) => {
    relay.onSubscribe = (request, _namespace, name) => {
      if (text(name) === 'catalog') void relay.rejectSubscribe(request, 0x1n, 'no token')
      else void relay.acceptSubscribe(request, 3n).then(() => relay.publishDone(request, varint(2), 'over'))
    }
  })
  const [refused, over] = [log(), log()]
  session.subscribe({ ...track, name: 'catalog' }, 16, refused)
  session.subscribe(track, 64, over)
  await vi.waitFor(() => expect(refused.lines).toEqual(['refused 1 no token']))
  await vi.waitFor(() => expect(over.lines).toEqual(['accepted', 'done 2']))
})

it('fetches what a group held before', async () => {
  const session = await connected((relay) => {
    relay.onSubscribe = (request) => void relay.acceptSubscribe(request, 9n)
    relay.onFetch = (request) => {
      void (async () => {
        const stream = await relay.openFetchStream(request)
        const fields = { groupId: 5n, subgroupId: 0n, objectId: 0n, publisherPriority: 16, payload: bytes('{}') }
        await relay.sendFetchObject(stream, fields)
        await relay.acceptFetch(request, { endLocation: { group: 5n, object: 1n } })
        await relay.closeFetchStream(stream)
      })()
    }
  })
  const [live, before] = [log(), log()]
  const subscription = session.subscribe(track, 16, { ...live, accepted: () => session.joiningFetch(subscription, before) })
  await vi.waitFor(() => expect(before.lines).toContain('5/0/0 {}'))
})

it('hears namespaces come and go', async () => {
  const session = await connected((relay) => {
    relay.onSubscribeNamespace = (request) => {
      void (async () => {
        await relay.acceptSubscribeNamespace(request)
        await relay.sendNamespace(request, [])
        await relay.sendNamespaceDone(request, [])
      })()
    }
  })
  const heard: boolean[] = []
  await session.watchNamespace(track.namespace, (present) => heard.push(present))
  await vi.waitFor(() => expect(heard).toEqual([true, false]))
})
