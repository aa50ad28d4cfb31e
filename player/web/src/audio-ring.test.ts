import { describe, expect, it } from 'vitest'

import { AudioRing } from './audio-ring'

const RATE = 48_000
const QUANTUM = 128
const QUANTUM_MS = (QUANTUM * 1_000) / RATE

/** 20 ms of a tone that goes on from packet to packet. */
function packet(timestamp: number): Float32Array[] {
  const from = Math.round((timestamp * RATE) / 1_000)
  const plane = Float32Array.from({ length: 960 }, (_, at) => 0.5 * Math.sin((2 * Math.PI * 440 * (from + at)) / RATE))
  return [plane, plane]
}

/** Plays from `from` to `to` (local milliseconds); returns the first channel. */
function play(ring: AudioRing, from: number, to: number, feed: (now: number) => void = () => undefined): number[] {
  const heard: number[] = []
  for (let now = from; now < to; now += QUANTUM_MS) {
    feed(now)
    const out = [new Float32Array(QUANTUM), new Float32Array(QUANTUM)]
    ring.read(out, now)
    heard.push(...(out[0] ?? []))
  }
  return heard
}

/** A feed whose packets arrive `transit` after their capture, from 0 until `until`. */
function live(ring: AudioRing, transit: number, until = Infinity): (now: number) => void {
  let next = 0
  return (now) => {
    for (; next + 20 + transit <= now && next < until; next += 20) ring.write(next, packet(next))
  }
}

const largestStep = (samples: number[]): number =>
  samples.reduce((most, sample, at) => Math.max(most, Math.abs(sample - (samples[at - 1] ?? sample))), 0)

describe('the ring', () => {
  it('plays at the wanted delay', () => {
    const ring = new AudioRing(RATE, 2, 3)
    ring.target = 100
    play(ring, 0, 2_000, live(ring, 30))
    const report = ring.report()
    expect(report.state).toBe('playing')
    expect(report.delay).toBeCloseTo(100, 0)
    expect(report.underruns).toBe(0)
    expect(report.level).toBeGreaterThan(0.3)
  })

  it('moves to another delay by playing faster', () => {
    const ring = new AudioRing(RATE, 2, 3)
    ring.target = 200
    const feed = live(ring, 30)
    play(ring, 0, 2_000, feed)
    ring.target = 100
    const samples = play(ring, 2_000, 14_000, feed)
    expect(ring.report().delay).toBeLessThan(106)
    expect(largestStep(samples)).toBeLessThan(0.04)
  })

  it('skips where it is far off, without a crackle', () => {
    const ring = new AudioRing(RATE, 2, 6)
    ring.target = 2_000
    const feed = live(ring, 30)
    play(ring, 0, 4_000, feed)
    ring.target = 100
    const samples = play(ring, 4_000, 5_000, feed)
    expect(ring.report().delay).toBeCloseTo(100, 0)
    expect(largestStep(samples)).toBeLessThan(0.04)
  })

  it('runs dry silently, and goes on when sound is back', () => {
    const ring = new AudioRing(RATE, 2, 3)
    ring.target = 100
    const samples = play(ring, 0, 2_000, live(ring, 30, 1_000))
    expect(ring.report()).toMatchObject({ state: 'waiting', underruns: 1, level: 0 })
    for (let at = 2_000; at < 2_200; at += 20) ring.write(at, packet(at))
    samples.push(...play(ring, 2_110, 2_200))
    expect(ring.report().state).toBe('playing')
    expect(largestStep(samples)).toBeLessThan(0.04)
  })

  it('fills a lost packet with silence and keeps time', () => {
    const ring = new AudioRing(RATE, 2, 3)
    ring.target = 100
    for (let at = 0; at < 400; at += 20) if (at !== 200) ring.write(at, packet(at))
    play(ring, 100, 400)
    expect(ring.report().delay).toBeCloseTo(100, 0)
  })

  it('is bounded: the oldest sound goes', () => {
    const ring = new AudioRing(RATE, 2, 1)
    for (let at = 0; at < 5_000; at += 20) ring.write(at, packet(at))
    expect(ring.buffered).toBeLessThanOrEqual(1_000)
  })
})
