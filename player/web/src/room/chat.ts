/** Chat messages: ordered, with history. */

import { readSpeaker, type Speaker } from './identity'
import { count, fields, text } from './json'

/** Characters that a message may have. */
export const MAX_CHARS = 500
/** Messages that a late joiner gets. */
export const HISTORY = 200
/** Messages of one group of the track. */
export const GROUP = 50

/** The message that another one answers, as far as it is shown there. */
export interface Quoted {
  readonly message: number
  readonly name: string
  readonly text: string
}

/** A message as everybody sees it. */
export interface Message extends Speaker {
  readonly message: number
  /** Milliseconds since the Unix epoch. */
  readonly at: number
  readonly text: string
  readonly replyTo: Quoted | null
}

/** One object of the track `chat`. */
export type Line =
  | ({ readonly line: 'message' } & Message)
  | { readonly line: 'deleted'; readonly message: number }
  | { readonly line: 'cleared'; readonly viewer: string }

export function readLine(value: unknown): Line | null {
  const line = fields(value)
  const message = count(line.message)
  switch (line.line) {
    case 'message': {
      const from = readSpeaker(line)
      const said = text(line.text)
      if (message === null || from === null || said === null) return null
      return { line: 'message', message, at: count(line.at) ?? 0, ...from, text: said, replyTo: readQuoted(line.replyTo) }
    }
    case 'deleted':
      return message === null ? null : { line: 'deleted', message }
    case 'cleared': {
      const viewer = text(line.viewer)
      return viewer === null ? null : { line: 'cleared', viewer }
    }
    default:
      return null
  }
}

function readQuoted(value: unknown): Quoted | null {
  const quoted = fields(value)
  const message = count(quoted.message)
  return message === null ? null : { message, name: text(quoted.name) ?? '', text: text(quoted.text) ?? '' }
}

/** What is shown of the chat: the last messages, in the room's order, each once. */
export class Log {
  #messages: readonly Message[] = []
  readonly #gone = new Set<number>()

  get messages(): readonly Message[] {
    return this.#messages
  }

  /** Takes a line in, in whatever order lines come; returns whether something changed. */
  take(line: Line): boolean {
    switch (line.line) {
      case 'message': {
        if (this.#gone.has(line.message) || this.#messages.some(({ message }) => message === line.message)) return false
        const at = this.#messages.findLastIndex(({ message }) => message < line.message) + 1
        if (at === 0 && this.#messages.length >= HISTORY) return false
        this.#messages = this.#messages.toSpliced(at, 0, line).slice(-HISTORY)
        return true
      }
      case 'deleted':
        return this.#drop([line.message])
      case 'cleared':
        return this.#drop(this.#messages.filter(({ viewer }) => viewer === line.viewer).map(({ message }) => message))
    }
  }

  /** Deletions are remembered, as the history may come after them. */
  #drop(gone: readonly number[]): boolean {
    for (const message of gone) this.#gone.add(message)
    for (const oldest of this.#gone) {
      if (this.#gone.size <= 2 * HISTORY) break
      this.#gone.delete(oldest)
    }
    const before = this.#messages.length
    this.#messages = this.#messages.filter(({ message }) => !this.#gone.has(message))
    return this.#messages.length < before
  }
}
