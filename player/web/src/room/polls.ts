/** Polls and quizzes: vote once, live bars, lock, reveal. */

import { count, fields, list, text, word } from './json'

export const MAX_QUESTION_CHARS = 200
export const MAX_CHOICE_CHARS = 100
export const MAX_CHOICES = 10

const STAGES = ['open', 'locked', 'revealed'] as const

/** A poll as everybody sees it. */
export interface Poll {
  readonly poll: number
  readonly at: number
  readonly question: string
  readonly choices: readonly string[]
  /** Votes for each choice; `null` while they are hidden. */
  readonly votes: readonly number[] | null
  readonly voters: number
  readonly isQuiz: boolean
  /** The right choice, once revealed. */
  readonly correct: number | null
  readonly stage: (typeof STAGES)[number]
}

/** A viewer's choice, counted from 0. */
export interface Vote {
  readonly poll: number
  readonly choice: number
}

/** A new poll; with a right choice it is a quiz. */
export interface Draft {
  readonly question: string
  readonly choices: readonly string[]
  readonly correct?: number
}

/** What the host does with polls. */
export type Act =
  | ({ readonly act: 'open' } & Draft)
  | { readonly act: 'lock' | 'reveal' | 'remove'; readonly poll: number }

export function readPoll(value: unknown): Poll | null {
  const poll = fields(value)
  const id = count(poll.poll)
  const question = text(poll.question)
  if (id === null || question === null) return null
  return {
    poll: id,
    at: count(poll.at) ?? 0,
    question,
    choices: list(poll.choices, text),
    votes: Array.isArray(poll.votes) ? poll.votes.map((votes) => count(votes) ?? 0) : null,
    voters: count(poll.voters) ?? 0,
    isQuiz: poll.isQuiz === true,
    correct: count(poll.correct),
    stage: word(poll.stage, STAGES, 'locked'),
  }
}

export function readVote(value: unknown): Vote | null {
  const { poll, choice } = fields(value)
  const [id, chosen] = [count(poll), count(choice)]
  return id === null || chosen === null ? null : { poll: id, choice: chosen }
}

/** Votes for a choice in percent of all; 0 where there are none. */
export function share({ votes }: Poll, choice: number): number {
  const all = votes?.reduce((sum, some) => sum + some, 0) ?? 0
  return all === 0 ? 0 : (100 * (votes?.[choice] ?? 0)) / all
}
