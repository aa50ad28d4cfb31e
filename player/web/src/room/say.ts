/** The envelope of what a viewer says, and the answers to it. */

import type { Mode as Moves } from './danmaku'
import { readRole, type Role, type Standing } from './identity'
import { count, fields, list, text, word } from './json'
import type { Change } from './mode'
import { readVote, type Act as PollAct, type Vote } from './polls'
import type { Act as ProductAct } from './products'
import type { Stage } from './questions'
import type { Reaction } from './reactions'

/** What can be said. The second half is for hosts and moderators. */
export type Say =
  | { readonly kind: 'chat'; readonly text: string; readonly replyTo?: number; readonly media?: number }
  | { readonly kind: 'danmaku'; readonly text: string; readonly color: string; readonly mode: Moves; readonly media?: number }
  | { readonly kind: 'react'; readonly reaction: Reaction; readonly count: number }
  | { readonly kind: 'ask'; readonly text: string }
  | { readonly kind: 'upvote'; readonly question: number }
  | { readonly kind: 'vote'; readonly poll: number; readonly choice: number }
  | { readonly kind: 'hand'; readonly hand: 'up' | 'down' }
  | { readonly kind: 'rename'; readonly name: string }
  | { readonly kind: 'delete'; readonly message: number }
  | { readonly kind: 'mute'; readonly viewer: string; readonly seconds: number }
  | { readonly kind: 'ban'; readonly viewer: string; readonly reach: 'viewer' | 'address' }
  | { readonly kind: 'unban'; readonly viewer: string }
  | ({ readonly kind: 'mode' } & Change)
  | { readonly kind: 'approve'; readonly message: number; readonly verdict: 'show' | 'drop' }
  | { readonly kind: 'question'; readonly question: number; readonly to: Stage }
  | ({ readonly kind: 'poll' } & PollAct)
  | ({ readonly kind: 'product' } & ProductAct)
  | { readonly kind: 'notice'; readonly text: string }
  | { readonly kind: 'lowerHands'; readonly viewer?: string }

/** Why something said was not applied; `unknownWhy` is one that this page does not know. */
export interface Refusal {
  readonly why: Why
  /** Seconds to wait, of `tooFast`, `busy` and `muted`. */
  readonly seconds: number
  /** How many are allowed, of `tooLong` and `full`. */
  readonly max: number
  readonly detail: string
}

const WHYS = [
  'tooFast',
  'busy',
  'muted',
  'banned',
  'blockedWord',
  'tooLong',
  'empty',
  'badText',
  'badLink',
  'emotesOnly',
  'membersOnly',
  'off',
  'closed',
  'unknown',
  'again',
  'notAllowed',
  'waiting',
  'full',
  'malformed',
  'unanswered',
  'unknownWhy',
] as const
/** `unanswered` is this page's own: the room did not answer in time. */
export type Why = (typeof WHYS)[number]

/** Who one is in the room. */
export interface You {
  readonly viewer: string
  readonly name: string
  readonly role: Role
  readonly standing: Standing
  readonly mutedUntil: number | null
  readonly votes: readonly Vote[]
  readonly upvotes: readonly number[]
  readonly hand: boolean
}

/** One object of a viewer's track `replies`. */
export type Reply =
  | ({ readonly reply: 'you' } & You)
  | { readonly reply: 'accepted'; readonly id: number; readonly message: number | null }
  | { readonly reply: 'refused'; readonly id: number | null; readonly refusal: Refusal }

export function readReply(value: unknown): Reply | null {
  const reply = fields(value)
  const id = count(reply.id)
  switch (reply.reply) {
    case 'you': {
      const viewer = text(reply.viewer)
      if (viewer === null) return null
      return {
        reply: 'you',
        viewer,
        name: text(reply.name) ?? viewer,
        role: readRole(reply.role),
        standing: word(reply.standing, ['guest', 'member'], 'guest'),
        mutedUntil: count(reply.mutedUntil),
        votes: list(reply.votes, readVote),
        upvotes: list(reply.upvotes, count),
        hand: reply.hand === true,
      }
    }
    case 'accepted':
      return id === null ? null : { reply: 'accepted', id, message: count(reply.message) }
    case 'refused':
      return { reply: 'refused', id, refusal: readRefusal(reply) }
    default:
      return null
  }
}

function readRefusal(value: unknown): Refusal {
  const { why, seconds, max, detail } = fields(value)
  return {
    why: word(why, WHYS, 'unknownWhy'),
    seconds: typeof seconds === 'number' && seconds > 0 ? seconds : 0,
    max: count(max) ?? 0,
    detail: text(detail) ?? '',
  }
}
