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

it('does not take a late joiner\'s burst for jitter', () => {
  const estimator = new Estimator()
  for (let at = 0; at < 60; at++) estimator.add(5_000 + at, at * 33)
  expect(estimator.settled).toBe(false)
  for (let at = 60; at < 100; at++) estimator.add(5_060 + (at - 59) * 33, at * 33)
  expect(estimator.settled).toBe(true)
  expect(estimator.margin).toBe(15)
  expect(estimator.base).toBe(5_060 + 33 - 60 * 33)
})
