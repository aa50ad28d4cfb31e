import { expect, it } from 'vitest'

import { Estimator } from './jitter'

it('measures the base and what nearly every frame needs on top', () => {
  const estimator = new Estimator()
  for (let at = 0; at < 200; at++) estimator.add(1_000 + at * 33 + (at % 10 === 0 ? 40 : 0), at * 33)
  expect(estimator.base).toBe(1_000)
  expect(estimator.margin).toBe(45)
})

it('forgets what is long past', () => {
  const estimator = new Estimator()
  for (let at = 0; at < 30; at++) estimator.add(500 + at * 33 + (at === 15 ? 300 : 0), at * 33)
  expect(estimator.margin).toBe(305)
  for (let at = 30; at < 600; at++) estimator.add(500 + at * 33, at * 33)
  expect(estimator.margin).toBe(15)
})

const TO_LIVE = 2_000

/** A frame every 33 ms reaches the relay 10 ms after its capture; a viewer joins at `TO_LIVE`. */
function join(estimator: Estimator, order: readonly number[], pause: (index: number) => number): number {
  let at = TO_LIVE
  order.forEach((frame, index) => estimator.add((at += 0.3 + pause(index)), frame * 33))
  return at
}

function goOn(estimator: Estimator, from: number, frames: number): void {
  for (let frame = from; frame < from + frames; frame++) estimator.add(frame * 33 + 10, frame * 33)
}

it('does not take a late joiner\'s burst for jitter, in one go or with pauses in it', () => {
  for (const pause of [() => 0, (index: number) => (index % 7 === 3 ? 25 : 0)]) {
    const estimator = new Estimator()
    const burst = Array.from({ length: 59 }, (_, index) => index)
    const at = join(estimator, burst, pause)
    goOn(estimator, Math.ceil(at / 33), 8)
    expect(estimator.settled).toBe(true)
    expect(estimator.base).toBeCloseTo(10)
    expect(estimator.margin).toBeLessThanOrEqual(15)
  }
})

it('does not take a burst that comes layer by layer for jitter', () => {
  const estimator = new Estimator()
  const all = Array.from({ length: 59 }, (_, index) => index)
  join(estimator, [...all.filter((frame) => frame % 2 === 0), ...all.filter((frame) => frame % 2 === 1)], () => 0)
  expect(estimator.settled).toBe(false)
  goOn(estimator, 61, 8)
  expect(estimator.settled).toBe(true)
  expect(estimator.margin).toBeLessThanOrEqual(60)
  expect(estimator.base).toBeCloseTo(10)
})
