import { describe, expect, it } from 'vitest'

import { CatalogError, Follower } from './catalog'

const bytes = (json: unknown): Uint8Array => new TextEncoder().encode(JSON.stringify(json))

const video = { name: 'video-720p', packaging: 'loc', isLive: true, role: 'video', codec: 'avc1.42C01F', width: 1280, height: 720, framerate: 30, bitrate: 2e6, altGroup: 1 }
const audio = { name: 'audio', packaging: 'loc', isLive: true, role: 'audio', codec: 'opus', samplerate: 48_000, channelConfig: '2', bitrate: 96_000 }
const whole = { version: 'draft-01', generatedAt: 1, tracks: [video, audio, { name: 'x', packaging: 'mediatimeline' }], future: true }

describe('the catalog', () => {
  it('is read with what is known of it', () => {
    const catalog = new Follower().take(5, 0, bytes(whole))
    expect(catalog?.video).toMatchObject([{ name: 'video-720p', width: 1280, frameRate: 30, altGroup: 1 }])
    expect(catalog?.audio).toMatchObject([{ name: 'audio', channels: 2, sampleRate: 48_000 }])
    expect(catalog?.skipped).toBe(1)
    expect(catalog?.isComplete).toBe(false)
  })

  it('follows deltas, and takes each object once', () => {
    const follower = new Follower()
    follower.take(5, 0, bytes(whole))
    const clone = { name: 'video-360p', parentName: 'video-720p', width: 640, height: 360 }
    const delta = { deltaUpdate: [{ op: 'clone', tracks: [clone] }, { op: 'remove', tracks: [{ name: 'audio' }] }] }
    const catalog = follower.take(5, 1, bytes(delta))
    expect(catalog?.video.map((track) => [track.name, track.width, track.codec])).toEqual([
      ['video-720p', 1280, 'avc1.42C01F'],
      ['video-360p', 640, 'avc1.42C01F'],
    ])
    expect(catalog?.audio).toEqual([])
    expect(follower.take(5, 1, bytes(delta))).toBeNull()
    expect(follower.take(4, 9, bytes(whole))).toBeNull()
  })

  it('says that the broadcast is over', () => {
    const follower = new Follower()
    follower.take(5, 0, bytes(whole))
    expect(follower.take(6, 0, bytes({ version: 'draft-01', isComplete: true, tracks: [] }))?.isComplete).toBe(true)
  })

  it('reads initialization data by reference', () => {
    const catalog = new Follower().take(0, 0, bytes({
      version: 'draft-01',
      tracks: [{ ...video, initRef: 'a' }],
      initDataList: [{ id: 'a', type: 'inline', data: 'AQID' }],
    }))
    expect(catalog?.video[0]?.description).toEqual(Uint8Array.of(1, 2, 3))
  })

  it('refuses what it cannot understand, in words that say what to do', () => {
    const take = (payload: Uint8Array): unknown => new Follower().take(0, 0, payload)
    expect(() => take(new TextEncoder().encode('<xml/>'))).toThrow(/no JSON/)
    expect(() => take(Uint8Array.of(0xff))).toThrow(CatalogError)
    expect(() => take(bytes({ version: 'draft-99', tracks: [] }))).toThrow(/draft-99.*update the older/)
    expect(() => take(bytes({ version: 'draft-01' }))).toThrow(/no list of tracks/)
    expect(() => take(bytes({ deltaUpdate: [] }))).toThrow(/does not follow/)
  })
})
