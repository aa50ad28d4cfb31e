import { describe, expect, it } from 'vitest'

import { Playhead } from './playhead'

describe('the playhead', () => {
  it('starts where the tracks and the viewer want it', () => {
    const playhead = new Playhead(100)
    expect(playhead.mediaTime(1_000)).toBeNull()
    playhead.require([{ base: 20, margin: 30 }])
    expect(playhead.tick(1_000)).toBe(true)
    expect(playhead.mediaTime(1_000)).toBe(900)
  })

  it('never goes below what the network needs', () => {
    const playhead = new Playhead(50)
    playhead.require([{ base: 80, margin: 40 }, { base: 60, margin: 30 }])
    playhead.tick(0)
    expect(playhead.delay).toBe(120)
  })

  it('catches up gently, and stops where it should', () => {
    const playhead = new Playhead(100)
    playhead.require([{ base: 300, margin: 100 }])
    playhead.tick(0)
    playhead.require([{ base: 20, margin: 20 }])
    let before = playhead.mediaTime(0) ?? 0
    for (let now = 10; now <= 20_000; now += 10) {
      playhead.tick(now)
      const media = playhead.mediaTime(now) ?? 0
      expect(media - before).toBeGreaterThanOrEqual(9.19)
      expect(media - before).toBeLessThanOrEqual(10.81)
      before = media
    }
    expect(playhead.delay).toBeCloseTo(108, 0)
    expect(playhead.rate).toBe(1)
  })

  it('jumps where it is far off', () => {
    const playhead = new Playhead(2_000)
    playhead.require([{ base: 20, margin: 20 }])
    playhead.tick(0)
    playhead.retarget(100)
    playhead.require([{ base: 20, margin: 20 }])
    expect(playhead.tick(10)).toBe(true)
    expect(playhead.delay).toBe(100)
  })

  it('follows the sound while there is some', () => {
    const playhead = new Playhead(100)
    playhead.require([{ base: 20, margin: 20 }])
    playhead.tick(0)
    playhead.heard(180, 10)
    expect(playhead.delay).toBe(180)
    playhead.heard(190, 50)
    expect(playhead.delay).toBeCloseTo(182)
    expect(playhead.tick(100)).toBe(false)
    expect(playhead.delay).toBeCloseTo(182)
    expect(playhead.audioLeads(600)).toBe(false)
  })

  it('takes clocks that differ for no latency', () => {
    const playhead = new Playhead(100)
    playhead.require([{ base: 3_600_020, margin: 20 }])
    playhead.tick(0)
    expect(playhead.delay).toBe(3_600_120)
    playhead.reset()
    playhead.require([{ base: -3_600_000, margin: 20 }])
    playhead.tick(0)
    expect(playhead.delay).toBe(-3_599_900)
  })
})
