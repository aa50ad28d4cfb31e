/** What the page knows of the room, and what it shows of it. */

import { Log, type Message } from './chat'
import type * as desk from './desk'
import type { Pin } from './products'
import { NO_TALLY, type Reaction, type Tally } from './reactions'
import type { Refusal, Say, You } from './say'
import type { Link, News } from './seat'
import type { Outcome } from './speaker'
import { EMPTY, type Snapshot } from './state'

/** Something that this viewer wrote and that is not there yet, or was refused. */
export interface Own {
  readonly id: number
  readonly say: Extract<Say, { text: string }>
  /** `null` while it is on its way. */
  readonly refusal: Refusal | null
}

/** A room as a page shows it. */
export interface Board {
  readonly link: Link
  readonly state: Snapshot
  readonly messages: readonly Message[]
  readonly tally: Tally
  readonly pin: Pin | null
  readonly you: You | null
  readonly desk: desk.Snapshot | null
  readonly own: readonly Own[]
  /** What was refused last and is not a text. */
  readonly refusal: Refusal | null
}

export const BLANK: Board = {
  link: 'joining',
  state: EMPTY,
  messages: new Log().messages,
  tally: NO_TALLY,
  pin: null,
  you: null,
  desk: null,
  own: [],
  refusal: null,
}

/** The board after something was said here. */
export function said(board: Board, id: number, say: Say): Board {
  return 'text' in say ? { ...board, own: [...board.own, { id, say, refusal: null }] } : board
}

/** The board after a text that was refused was taken back to be written anew. */
export function takenBack(board: Board, id: number): Board {
  return { ...board, own: board.own.filter((own) => own.id !== id) }
}

/** The board after news. */
export function heard(board: Board, news: News): Board {
  switch (news.kind) {
    case 'link':
      return { ...board, link: news.link }
    case 'state':
      return { ...board, state: news.state, tally: larger(board.tally, news.state.reactions) }
    case 'chat':
      return { ...board, messages: news.messages }
    case 'tally':
      return { ...board, tally: news.tally }
    case 'pin':
      return { ...board, pin: news.pin }
    case 'desk':
      return { ...board, desk: news.desk }
    case 'you':
      return { ...board, you: news.you }
    case 'outcome':
      return settled(board, news.outcome)
    case 'bullet':
    case 'gone':
      return board
  }
}

function settled(board: Board, outcome: Outcome): Board {
  const others = board.own.filter(({ id }) => id !== outcome.id)
  const { you } = board
  if (outcome.how === 'accepted') {
    const { say } = outcome
    if (you && say.kind === 'vote') return { ...board, you: { ...you, votes: [...you.votes, say] } }
    if (you && say.kind === 'upvote') return { ...board, you: { ...you, upvotes: [...you.upvotes, say.question] } }
    if (you && say.kind === 'hand') return { ...board, you: { ...you, hand: say.hand === 'up' } }
    return { ...board, own: others, refusal: null }
  }
  const own = board.own.find(({ id }) => id === outcome.id)
  if (!own) return { ...board, refusal: outcome.refusal }
  return { ...board, own: [...others, { ...own, refusal: outcome.refusal }].slice(-20) }
}

/** A tally and a snapshot come in any order: counts only grow. */
function larger(one: Tally, other: Tally): Tally {
  const sum = ({ totals }: Tally): number => Object.values(totals).reduce((all, some) => all + some, 0)
  return sum(other) > sum(one) ? other : one
}

/** Taps that are sent together: at most five sayings a second. */
export class Taps {
  readonly #waiting = new Map<Reaction, number>()
  #sentAt = -Infinity

  tap(reaction: Reaction): void {
    this.#waiting.set(reaction, Math.min((this.#waiting.get(reaction) ?? 0) + 1, 100))
  }

  /** What is to be sent now, if anything. */
  poll(now: number): Say | null {
    const [next] = this.#waiting
    if (!next || now - this.#sentAt < 200) return null
    this.#sentAt = now
    this.#waiting.delete(next[0])
    return { kind: 'react', reaction: next[0], count: next[1] }
  }
}
