/** Questions for the host: asked, approved, on screen, answered or hidden. */

import { readSpeaker, type Speaker } from './identity'
import { count, fields, text, word } from './json'

/** Characters that one may have. */
export const MAX_CHARS = 300

export const STAGES = ['asked', 'approved', 'onScreen', 'answered', 'hidden'] as const
/** Where a question stands. */
export type Stage = (typeof STAGES)[number]

/** A question. */
export interface Question extends Speaker {
  readonly question: number
  readonly at: number
  readonly text: string
  readonly votes: number
  readonly stage: Stage
}

export function readQuestion(value: unknown): Question | null {
  const asked = fields(value)
  const from = readSpeaker(asked)
  const question = count(asked.question)
  const said = text(asked.text)
  if (from === null || question === null || said === null) return null
  const stage = word(asked.stage, STAGES, 'hidden')
  return { ...from, question, at: count(asked.at) ?? 0, text: said, votes: count(asked.votes) ?? 0, stage }
}

/** How questions are put in order. */
export type Order = 'votes' | 'newest'

/** Questions in order; those that were answered come last. */
export function sorted(questions: readonly Question[], order: Order): readonly Question[] {
  const done = ({ stage }: Question): number => (stage === 'answered' || stage === 'hidden' ? 1 : 0)
  return questions.toSorted(
    (a, b) => done(a) - done(b) || (order === 'votes' ? b.votes - a.votes : 0) || b.question - a.question,
  )
}
