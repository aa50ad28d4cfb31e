import { expect, it } from 'vitest'

import type { Reply, Say } from './say'
import { newId, Speaker, type Outcome } from './speaker'

const chat = (text: string): Say => ({ kind: 'chat', text })
const accepted = (id: number): Reply => ({ reply: 'accepted', id, message: id })
const ids = (speaker: Speaker, now: number): number[] => speaker.poll(now).map(({ id }) => id)

/** Numbers between 0 and 1 that are the same in every run. */
function seeded(seed: number): () => number {
  let state = seed
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0
    return state / 2 ** 32
  }
}

it('sends again, slower each time, until the room answers', () => {
  const speaker = new Speaker()
  speaker.connected(0)
  speaker.say(0, 1, chat('hello'))
  const sent: number[] = []
  for (let now = 0; now <= 6_000; now += 50) if (ids(speaker, now).length > 0) sent.push(now)
  expect(sent).toEqual([0, 200, 600, 1_400, 3_000, 5_000])
  expect(speaker.answered(6_000, accepted(1))).toMatchObject({ how: 'accepted', message: 1 })
  expect(speaker.answered(6_000, accepted(1))).toBeNull()
  expect(speaker.deadline()).toBeNull()
})

it('waits as long as answers took', () => {
  const speaker = new Speaker()
  speaker.connected(0)
  for (let id = 1; id <= 30; id++) {
    speaker.say(id * 1_000, id, chat('x'))
    speaker.poll(id * 1_000)
    speaker.answered(id * 1_000 + 80, accepted(id))
  }
  expect(speaker.timeout).toBeGreaterThanOrEqual(80)
  expect(speaker.timeout).toBeLessThan(100)
})

it('keeps words in order and lets bullets and taps overtake', () => {
  const speaker = new Speaker()
  speaker.connected(0)
  speaker.say(0, 1, chat('first'))
  speaker.say(0, 2, chat('second'))
  speaker.say(0, 3, { kind: 'danmaku', text: 'whoosh', color: '#ffffff', mode: 'scroll' })
  speaker.say(0, 4, { kind: 'react', reaction: 'like', count: 3 })
  speaker.say(0, 5, { kind: 'vote', poll: 1, choice: 0 })
  expect(ids(speaker, 0)).toEqual([1, 3, 4, 5])
  speaker.answered(10, accepted(1))
  expect(ids(speaker, 10)).toEqual([2])
})

it('goes on after a reconnect with the same numbers, and gives up in the end', () => {
  const speaker = new Speaker()
  speaker.say(0, 1, chat('offline'))
  expect(ids(speaker, 0)).toEqual([])
  speaker.connected(5_000)
  const [first] = speaker.poll(5_000)
  speaker.lost()
  expect(ids(speaker, 9_000)).toEqual([])
  speaker.connected(10_000)
  expect(speaker.poll(10_000)[0]?.payload).toEqual(first?.payload)
  expect(speaker.givenUp(29_999)).toEqual([])
  expect(speaker.givenUp(30_000)).toMatchObject([{ id: 1, how: 'refused', refusal: { why: 'unanswered' }, say: chat('offline') }])
  expect(speaker.waiting).toBe(0)
})

it('is bounded: what is too much is refused here', () => {
  const speaker = new Speaker()
  const outcomes = Array.from({ length: 80 }, (_, id) => speaker.say(0, id, chat(`${id}`)))
  expect(outcomes.filter((outcome) => outcome !== null)).toHaveLength(16)
  expect(speaker.waiting).toBe(64)
})

it('brings every word through once and in order though both ways lose a third', () => {
  for (let seed = 1; seed <= 20; seed++) {
    const random = seeded(seed)
    const speaker = new Speaker()
    const applied: number[] = []
    const outcomes: Outcome[] = []
    let answers: { at: number; id: number }[] = []
    speaker.connected(0)
    for (let id = 1; id <= 10; id++) speaker.say(0, id, chat(`${id}`))
    for (let now = 0; now < 29_000; now += 10) {
      for (const { id } of speaker.poll(now)) {
        if (random() < 0.33) continue
        if (!applied.includes(id)) applied.push(id)
        if (random() >= 0.33) answers.push({ at: now + 20 + random() * 60, id })
      }
      for (const { id } of answers.filter(({ at }) => at <= now)) {
        const outcome = speaker.answered(now, accepted(id))
        if (outcome) outcomes.push(outcome)
      }
      answers = answers.filter(({ at }) => at > now)
    }
    expect(applied).toEqual(Array.from({ length: 10 }, (_, at) => at + 1))
    expect(outcomes.map(({ id }) => id)).toEqual(applied)
  }
})

it('numbers sayings within what JavaScript can count', () => {
  const many = new Set(Array.from({ length: 1_000 }, newId))
  expect(many.size).toBe(1_000)
  for (const id of many) expect(Number.isSafeInteger(id) && id >= 0).toBe(true)
})
