import { describe, expect, it } from 'vitest'

import type { VideoTrack } from './catalog'
import { Chooser } from './quality'

const track = (height: number): VideoTrack => ({
  name: `video-${height}p`,
  codec: 'avc1.42C01F',
  bitrate: height * 2_000,
  renderGroup: 1,
  altGroup: 1,
  targetLatency: null,
  description: null,
  label: null,
  width: (height * 16) / 9,
  height,
  frameRate: 30,
})

const ladder = [1080, 720, 360, 180].map(track)
const desktop = { width: 1280, height: 720 }
const good = { expected: 30, missed: 0, stalled: false }
const bad = { expected: 30, missed: 12, stalled: false }

describe('the automatic choice', () => {
  it('fits the screen', () => {
    for (const [viewport, name] of [
      [desktop, 'video-720p'],
      [{ width: 390, height: 219 }, 'video-360p'],
      [{ width: 3_840, height: 2_160 }, 'video-1080p'],
      [{ width: 0, height: 0 }, 'video-1080p'],
    ] as const) {
      const chooser = new Chooser()
      chooser.offer(ladder, viewport, 0)
      expect(chooser.choice?.name).toBe(name)
    }
  })

  it('holds nothing against the network that the viewer asked for', () => {
    const chooser = new Chooser()
    chooser.offer(ladder, desktop, 0)
    chooser.judge(bad, desktop, 1_000)
    chooser.excuse(1_500)
    for (const now of [2_000, 3_000]) expect(chooser.judge(bad, desktop, now)).toBe(false)
    expect(chooser.judge(bad, desktop, 4_000)).toBe(false)
    expect(chooser.judge(bad, desktop, 5_000)).toBe(true)
  })

  it('goes down when seconds are bad, and up again when they stay good', () => {
    const chooser = new Chooser()
    chooser.offer(ladder, desktop, 0)
    let now = 0
    while (chooser.choice?.height === 720) chooser.judge(bad, desktop, (now += 1_000))
    expect(now).toBeLessThanOrEqual(4_000)
    expect(chooser.choice?.height).toBe(360)
    while (chooser.choice?.height === 360 && now < 60_000) chooser.judge(good, desktop, (now += 1_000))
    expect(chooser.choice?.height).toBe(720)
  })

  it('tries less often what failed', () => {
    const chooser = new Chooser()
    chooser.offer(ladder.slice(1, 3), desktop, 0)
    const waits: number[] = []
    let now = 0
    let downAt = 0
    while (waits.length < 3) {
      const high = chooser.choice?.height === 720
      const changed = chooser.judge(high ? bad : good, desktop, (now += 1_000))
      if (changed && high) downAt = now
      else if (changed) waits.push(now - downAt)
    }
    expect(waits[1]).toBeGreaterThan(waits[0] ?? 0)
    expect(waits[2]).toBeGreaterThan(waits[1] ?? 0)
  })

  it('keeps its choice when the catalog changes around it', () => {
    const chooser = new Chooser()
    chooser.offer(ladder, desktop, 0)
    chooser.offer(ladder.slice(1), desktop, 10)
    expect(chooser.choice?.name).toBe('video-720p')
    chooser.offer(ladder.slice(2), desktop, 20)
    expect(chooser.choice?.name).toBe('video-360p')
  })
})
