import { describe, expect, it } from 'vitest'

import { Depackager, type Frame } from './depackage'

const FRAME_US = 33_000

function frame(group: number, object: number, subgroup = object % 2): Frame {
  const timestamp = (group * 10 + object) * FRAME_US
  const header = { timestamp, marking: null, config: null, audioLevel: null }
  return { group, subgroup, object, header, payload: new Uint8Array(10), arrival: 0 }
}

function drain(depackager: Depackager, due = 0): [number, number][] {
  const out: [number, number][] = []
  for (let next = depackager.poll(due); next; next = depackager.poll(due)) out.push([next.group, next.object])
  return out
}

const LATE = Number.MAX_SAFE_INTEGER

describe('a GOP in two temporal layers', () => {
  it('is merged in object order, whichever stream is faster', () => {
    const depackager = new Depackager('gop')
    for (const object of [1, 3, 0, 2, 4]) depackager.insert(frame(7, object))
    expect(drain(depackager)).toEqual([[7, 0], [7, 1], [7, 2], [7, 3], [7, 4]])
  })

  it('waits for an enhancement frame that may still come, once the layer is known', () => {
    const depackager = new Depackager('gop')
    depackager.opened(7, 0)
    depackager.opened(7, 1)
    for (const object of [0, 2]) depackager.insert(frame(7, object))
    expect(drain(depackager)).toEqual([[7, 0]])
    depackager.insert(frame(7, 1))
    expect(drain(depackager)).toEqual([[7, 1], [7, 2]])
    expect(depackager.losses.late).toBe(0)
  })

  it('skips an enhancement frame that is not here in time, and drops it when it comes', () => {
    const depackager = new Depackager('gop')
    depackager.opened(7, 1)
    for (const object of [0, 2]) depackager.insert(frame(7, object))
    expect(drain(depackager)).toEqual([[7, 0]])
    expect(drain(depackager, LATE)).toEqual([[7, 2]])
    depackager.insert(frame(7, 1))
    expect(drain(depackager, LATE)).toEqual([])
    expect(depackager.losses.late).toBe(2)
  })

  it('never decodes past a missing base frame: the next group is next', () => {
    const depackager = new Depackager('gop')
    depackager.insert(frame(7, 0))
    depackager.insert(frame(7, 1))
    depackager.insert(frame(7, 3))
    depackager.closed(7, 0, 'reset')
    expect(drain(depackager)).toEqual([[7, 0], [7, 1]])
    depackager.insert(frame(8, 0))
    depackager.insert(frame(8, 1))
    expect(drain(depackager)).toEqual([[8, 0], [8, 1]])
    expect(depackager.losses.skippedGroups).toBe(1)
  })

  it('goes on to the next group when both streams are over', () => {
    const depackager = new Depackager('gop')
    for (const object of [0, 1, 2]) depackager.insert(frame(7, object))
    expect(drain(depackager)).toEqual([[7, 0], [7, 1], [7, 2]])
    depackager.insert(frame(8, 0))
    expect(drain(depackager)).toEqual([])
    depackager.closed(7, 0, 'finished')
    depackager.closed(7, 1, 'finished')
    expect(drain(depackager)).toEqual([[8, 0]])
    expect(depackager.losses.skippedGroups).toBe(0)
  })

  it('starts a late joiner at the newest group that has its keyframe', () => {
    const depackager = new Depackager('gop')
    depackager.insert(frame(7, 0))
    depackager.insert(frame(8, 0))
    depackager.insert(frame(9, 1))
    expect(drain(depackager)).toEqual([[8, 0]])
  })

  it('gives a group up when the next is due', () => {
    const depackager = new Depackager('gop')
    depackager.insert(frame(7, 0))
    expect(drain(depackager)).toEqual([[7, 0]])
    depackager.insert(frame(8, 0))
    expect(drain(depackager, 80 * FRAME_US - 1)).toEqual([])
    expect(drain(depackager, 80 * FRAME_US)).toEqual([[8, 0]])
  })

  it('follows a publisher that starts again with far greater groups', () => {
    const depackager = new Depackager('gop')
    depackager.insert(frame(7, 0))
    drain(depackager)
    depackager.insert(frame(90_000, 0))
    expect(drain(depackager, LATE)).toEqual([[90_000, 0]])
  })

  it('changes over at a group boundary', () => {
    const depackager = new Depackager('gop')
    for (const group of [7, 8]) for (const object of [0, 1]) depackager.insert(frame(group, object))
    const start = depackager.groupStartAfter(75 * FRAME_US)
    expect(start).toBe(80 * FRAME_US)
    depackager.dropBefore(start ?? 0)
    expect(drain(depackager)).toEqual([[8, 0], [8, 1]])
  })

  it('is bounded', () => {
    const depackager = new Depackager('gop')
    for (let group = 0; group < 200; group++) for (let object = 0; object < 10; object++) depackager.insert(frame(group, object))
    expect(depackager.size).toBeLessThanOrEqual(900)
    expect(depackager.losses.overflow).toBeGreaterThan(0)
  })

  it('hands out every group in order and never past a gap, whatever is lost', () => {
    let seed = 42
    const random = (limit: number): number => (seed = (seed * 1_103_515_245 + 12_345) % 2_147_483_648) % limit
    for (let round = 0; round < 60; round++) {
      const depackager = new Depackager('gop')
      const out: [number, number][] = []
      for (let group = 1; group <= 12; group++) {
        const lossy = random(3) === 0
        const cut = [random(10), random(10)]
        for (let object = 0; object < 10; object++) {
          const subgroup = object % 2
          if (lossy && object >= (cut[subgroup] ?? 0)) continue
          depackager.insert(frame(group, object))
          if (random(2) === 0) out.push(...drain(depackager, (group * 10 + object - 3) * FRAME_US))
        }
        for (const subgroup of [0, 1]) depackager.closed(group, subgroup, lossy ? 'reset' : 'finished')
      }
      out.push(...drain(depackager, LATE))
      const base = out.filter(([, object]) => object % 2 === 0)
      base.forEach(([group, object], at) => {
        const [groupBefore, objectBefore] = base[at - 1] ?? [0, 0]
        if (object === 0) expect(group).toBeGreaterThan(groupBefore)
        else expect([group, object]).toEqual([groupBefore, objectBefore + 2])
      })
    }
  })
})

describe('sound', () => {
  it('comes in order, a group an object', () => {
    const depackager = new Depackager('independent')
    for (const group of [5, 6, 8, 7]) depackager.insert(frame(group, 0, 0))
    expect(drain(depackager)).toEqual([[5, 0], [6, 0], [7, 0], [8, 0]])
  })

  it('waits for a missing group no longer than it is due', () => {
    const depackager = new Depackager('independent')
    for (const group of [5, 7]) depackager.insert(frame(group, 0, 0))
    expect(drain(depackager)).toEqual([[5, 0]])
    expect(drain(depackager, 70 * FRAME_US)).toEqual([[7, 0]])
  })
})
