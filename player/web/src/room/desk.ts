/** What hosts and moderators see beside the room. */

import { readSpeaker, type Speaker } from './identity'
import { count, fields, list, text } from './json'
import { readQuestion, type Question } from './questions'
import { put } from './state'

/** Acts that the desk shows. */
export const MAX_ACTS = 100

/** A message that waits for approval. */
export interface Waiting extends Speaker {
  readonly message: number
  readonly at: number
  readonly text: string
}

/** Somebody who is silenced until `at`, or banned since `at`. */
export interface Silenced {
  readonly viewer: string
  readonly name: string
  readonly at: number
}

/** What a moderator did. */
export interface ActDone {
  readonly at: number
  readonly by: Speaker
  /** The `kind` of the saying. */
  readonly act: string
  readonly to: string | null
  readonly detail: string
}

/** Object 0 of a group of the track `desk`. */
export interface Snapshot {
  readonly waiting: readonly Waiting[]
  readonly questions: readonly Question[]
  readonly muted: readonly Silenced[]
  readonly banned: readonly Silenced[]
  readonly blockedWords: readonly string[]
  /** Oldest first. */
  readonly acts: readonly ActDone[]
}

export const EMPTY: Snapshot = { waiting: [], questions: [], muted: [], banned: [], blockedWords: [], acts: [] }

export function readSnapshot(value: unknown): Snapshot {
  const desk = fields(value)
  return {
    waiting: list(desk.waiting, readWaiting),
    questions: list(desk.questions, readQuestion),
    muted: list(desk.muted, readSilenced),
    banned: list(desk.banned, readSilenced),
    blockedWords: list(desk.blockedWords, text),
    acts: list(desk.acts, readAct),
  }
}

/** Takes a change in. One of an unknown kind changes nothing. */
export function apply(desk: Snapshot, value: unknown): Snapshot {
  const { delta, is } = fields(value)
  switch (delta) {
    case 'waiting':
      return { ...desk, waiting: put(desk.waiting, readWaiting(is), ({ message }) => message) }
    case 'decided':
      return { ...desk, waiting: desk.waiting.filter(({ message }) => message !== count(is)) }
    case 'question':
      return { ...desk, questions: put(desk.questions, readQuestion(is), ({ question }) => question) }
    case 'questionGone':
      return { ...desk, questions: desk.questions.filter(({ question }) => question !== count(is)) }
    case 'muted':
      return { ...desk, muted: list(is, readSilenced) }
    case 'banned':
      return { ...desk, banned: list(is, readSilenced) }
    case 'blockedWords':
      return { ...desk, blockedWords: list(is, text) }
    case 'act': {
      const act = readAct(is)
      return act === null ? desk : { ...desk, acts: [...desk.acts, act].slice(-MAX_ACTS) }
    }
    default:
      return desk
  }
}

function readWaiting(value: unknown): Waiting | null {
  const waiting = fields(value)
  const from = readSpeaker(waiting)
  const message = count(waiting.message)
  const said = text(waiting.text)
  if (from === null || message === null || said === null) return null
  return { ...from, message, at: count(waiting.at) ?? 0, text: said }
}

function readSilenced(value: unknown): Silenced | null {
  const { viewer, name, until, at } = fields(value)
  const id = text(viewer)
  return id === null ? null : { viewer: id, name: text(name) ?? id, at: count(until) ?? count(at) ?? 0 }
}

function readAct(value: unknown): ActDone | null {
  const done = fields(value)
  const by = readSpeaker(done.by)
  const act = text(done.act)
  if (by === null || act === null) return null
  return { at: count(done.at) ?? 0, by, act, to: text(done.to), detail: text(done.detail) ?? '' }
}
