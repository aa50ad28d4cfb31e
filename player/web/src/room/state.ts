/** What everybody sees of the room: a snapshot, and what changed since. */

import { count, fields, list } from './json'
import { MODE, readMode, type Mode } from './mode'
import { readNotice, type Notice } from './notice'
import { readPoll, type Poll } from './polls'
import { NOBODY, readHand, readPresence, type Presence, type UpHand } from './presence'
import { readPin, readProduct, type Pin, type Product } from './products'
import { readQuestion, type Question } from './questions'
import { NO_TALLY, readTally, type Tally } from './reactions'

/** Object 0 of a group of the track `state`: all of it. */
export interface Snapshot {
  readonly mode: Mode
  readonly presence: Presence
  readonly notice: Notice | null
  readonly questions: readonly Question[]
  readonly polls: readonly Poll[]
  readonly products: readonly Product[]
  readonly pin: Pin | null
  readonly hands: readonly UpHand[]
  readonly reactions: Tally
}

export const EMPTY: Snapshot = {
  mode: MODE,
  presence: NOBODY,
  notice: null,
  questions: [],
  polls: [],
  products: [],
  pin: null,
  hands: [],
  reactions: NO_TALLY,
}

export function readSnapshot(value: unknown): Snapshot {
  const state = fields(value)
  return {
    mode: readMode(state.mode),
    presence: readPresence(state.presence),
    notice: readNotice(state.notice),
    questions: list(state.questions, readQuestion),
    polls: list(state.polls, readPoll),
    products: list(state.products, readProduct),
    pin: readPin(state.pin),
    hands: list(state.hands, readHand),
    reactions: readTally(state.reactions),
  }
}

/** Takes a change in: a later object of the group. One of an unknown kind changes nothing. */
export function apply(state: Snapshot, value: unknown): Snapshot {
  const { delta, is } = fields(value)
  switch (delta) {
    case 'mode':
      return { ...state, mode: readMode(is) }
    case 'presence':
      return { ...state, presence: readPresence(is) }
    case 'notice':
      return { ...state, notice: readNotice(is) }
    case 'question':
      return { ...state, questions: put(state.questions, readQuestion(is), ({ question }) => question) }
    case 'questionGone':
      return { ...state, questions: state.questions.filter(({ question }) => question !== count(is)) }
    case 'poll':
      return { ...state, polls: put(state.polls, readPoll(is), ({ poll }) => poll) }
    case 'pollGone':
      return { ...state, polls: state.polls.filter(({ poll }) => poll !== count(is)) }
    case 'products':
      return { ...state, products: list(is, readProduct) }
    case 'pin':
      return { ...state, pin: readPin(is) }
    case 'hands':
      return { ...state, hands: list(is, readHand) }
    default:
      return state
  }
}

/** Puts `item` where the same one is, else at the end. */
export function put<T>(all: readonly T[], item: T | null, id: (item: T) => number): readonly T[] {
  if (item === null) return all
  const at = all.findIndex((known) => id(known) === id(item))
  return at < 0 ? [...all, item] : all.with(at, item)
}
