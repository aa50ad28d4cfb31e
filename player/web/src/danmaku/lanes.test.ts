import { expect, it } from 'vitest'

import { Lanes, type Candidate, type Placed, type Rank, type Stage } from './lanes'

const STAGE: Stage = { width: 1_280, lanes: 8, crossing: 8_000, standing: 4_000 }

/** Numbers between 0 and 1 that are the same in every run. */
function seeded(seed: number): () => number {
  let state = seed
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0
    return state / 2 ** 32
  }
}

function candidate(id: number, width: number, rank: Rank = 'viewer', mode: Candidate['mode'] = 'scroll'): Candidate {
  return { id, width, mode, rank }
}

function overlap(lanes: Lanes, now: number, a: Placed, b: Placed): boolean {
  if (a.lane !== b.lane) return false
  const [left, other] = [lanes.left(now, a), lanes.left(now, b)]
  const visible = Math.min(left + a.width, other + b.width, STAGE.width) > Math.max(left, other, 0)
  return visible
}

it('never lets two overlap, however many come, of whatever length and mode', () => {
  for (let seed = 1; seed <= 8; seed++) {
    const random = seeded(seed)
    const lanes = new Lanes(STAGE)
    let [id, shown, collisions] = [0, 0, 0]
    for (let now = 0; now < 40_000; now += 40) {
      while (random() < 0.3) {
        const mode = random() < 0.8 ? 'scroll' : random() < 0.5 ? 'top' : 'bottom'
        lanes.put(now, candidate(++id, 20 + random() ** 2 * 2_000, random() < 0.05 ? 'host' : 'viewer', mode))
      }
      shown += lanes.poll(now).length
      for (const [at, a] of lanes.placed.entries())
        for (const b of lanes.placed.slice(at + 1)) if (overlap(lanes, now, a, b)) collisions += 1
    }
    expect(collisions, `seed ${seed}`).toBe(0)
    expect(shown).toBeGreaterThan(100)
    expect(lanes.dropped).toBeGreaterThan(0)
  }
})

it('lets all cross in the same time, longer ones faster', () => {
  const lanes = new Lanes(STAGE)
  lanes.put(0, candidate(1, 100))
  lanes.put(0, candidate(2, 900))
  const [, ...rest] = lanes.poll(0)
  expect(rest).toHaveLength(1)
  for (const placed of lanes.placed) {
    expect(lanes.left(0, placed)).toBe(STAGE.width)
    expect(lanes.left(8_000, placed)).toBeCloseTo(-placed.width)
  }
})

it('shows one\'s own before all others, and never drops it', () => {
  const lanes = new Lanes({ ...STAGE, lanes: 1 })
  lanes.put(0, candidate(1, 2_000))
  lanes.poll(0)
  for (let id = 10; id < 200; id++) lanes.put(1, candidate(id, 300))
  lanes.put(2, candidate(5, 3_000, 'own'))
  const begun: number[] = []
  for (let now = 10; now < 12_000; now += 10) begun.push(...lanes.poll(now).map(({ id }) => id))
  expect(begun[0]).toBe(5)
})

it('puts those that stand at their edge, one a lane', () => {
  const lanes = new Lanes(STAGE)
  lanes.put(0, candidate(1, 100, 'viewer', 'top'))
  lanes.put(0, candidate(2, 100, 'viewer', 'bottom'))
  lanes.put(0, candidate(3, 100, 'viewer', 'bottom'))
  lanes.poll(0)
  expect(lanes.placed.map(({ id, lane }) => [id, lane]).sort()).toEqual([[1, 0], [2, 7], [3, 6]])
  lanes.remove(2)
  expect(lanes.placed).toHaveLength(2)
})
