/** What a screen reader is told of the room: a summary every few seconds, never each message. */

import type { Strings } from '../i18n'
import type { Board } from '../room/board'

/** Between two announcements, in milliseconds. */
const PAUSE_MS = 5_000

/** Gathers what is new, and says it in one go. */
export class Announcer {
  #words = ''
  #messages = 0
  #others: string[] = []
  #timer: ReturnType<typeof setTimeout> | null = null

  /** @param changed - there are other words. */
  constructor(private readonly changed: () => void) {}

  /** What is to be read out now. */
  get words(): string {
    return this.#words
  }

  /** Takes in what differs between two boards. */
  compare(text: Strings, before: Board, now: Board): void {
    const last = before.messages.at(-1)?.message ?? -1
    const you = now.you?.viewer
    if (now.messages !== before.messages) this.#messages += now.messages.filter(({ message, viewer }) => message > last && viewer !== you).length
    const polls = new Set(before.state.polls.map(({ poll }) => poll))
    for (const { poll, question } of now.state.polls) if (!polls.has(poll)) this.#others.push(text.announcePoll(question))
    const card = now.pin === before.pin ? undefined : now.state.products.find(({ product }) => product === now.pin?.product)
    if (card) this.#others.push(text.announceProduct(card.title))
    const [asked, was] = [onScreen(now), onScreen(before)]
    if (asked && asked.question !== was?.question) this.#others.push(text.announceQuestion(asked.text))
    if (this.#messages + this.#others.length > 0) this.#timer ??= setTimeout(() => this.#speak(text), this.#words === '' ? 0 : PAUSE_MS)
  }

  /** Says nothing any more. */
  stop(): void {
    if (this.#timer !== null) clearTimeout(this.#timer)
    this.#timer = null
  }

  #speak(text: Strings): void {
    const words = this.#others.slice(-3)
    if (this.#messages > 0) words.push(text.announceMessages(this.#messages))
    this.#words = words.join('. ')
    this.#messages = 0
    this.#others = []
    this.#timer = null
    this.changed()
  }
}

function onScreen({ state }: Board): { readonly question: number; readonly text: string } | undefined {
  return state.questions.find(({ stage }) => stage === 'onScreen')
}
