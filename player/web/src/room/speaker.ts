/**
 * What is said and not yet answered: sent again until the room answers, in order where order is seen.
 * Pure: time arrives as an argument, and what is to be sent is polled.
 */

import type { Refusal, Reply, Say } from './say'

const FIRST_TIMEOUT_MS = 200
const MIN_TIMEOUT_MS = 50
const MAX_TIMEOUT_MS = 2_000
const GIVE_UP_MS = 30_000
/** Sayings that wait; more are refused here. */
const MAX_PENDING = 64

/** One that is to be sent now: the same payload in every repetition. */
export interface Outgoing {
  readonly id: number
  readonly payload: Uint8Array
}

/** What became of a saying. */
export type Outcome =
  | { readonly id: number; readonly say: Say; readonly how: 'accepted'; readonly message: number | null }
  | { readonly id: number; readonly say: Say; readonly how: 'refused'; readonly refusal: Refusal }

interface Pending {
  readonly id: number
  readonly say: Say
  readonly payload: Uint8Array
  readonly since: number
  sends: number
  sentAt: number
  /** When it is sent next; it grows with every repetition. */
  due: number
}

/** Who speaks in one room, over as many connections as it takes. */
export class Speaker {
  #pending: Pending[] = []
  #isConnected = false
  #smoothed: number | null = null
  #deviation = 0

  /** Sayings that were not answered yet. */
  get waiting(): number {
    return this.#pending.length
  }

  /** Milliseconds until something is sent for the second time. */
  get timeout(): number {
    if (this.#smoothed === null) return FIRST_TIMEOUT_MS
    return Math.min(Math.max(this.#smoothed + 4 * this.#deviation, MIN_TIMEOUT_MS), MAX_TIMEOUT_MS)
  }

  /** Takes a saying; the answer is why it cannot, where too many wait already. */
  say(now: number, id: number, say: Say): Outcome | null {
    if (this.#pending.some((known) => known.id === id)) return null
    if (this.#pending.length >= MAX_PENDING) return refused({ id, say }, 'busy')
    const payload = new TextEncoder().encode(JSON.stringify({ id, say }))
    this.#pending.push({ id, say, payload, since: now, sends: 0, sentAt: 0, due: now })
    return null
  }

  /** The track is there: everything that waits is sent (again). */
  connected(now: number): void {
    this.#isConnected = true
    for (const pending of this.#pending) pending.due = now
  }

  /** The connection is lost; what waits goes on waiting. */
  lost(): void {
    this.#isConnected = false
  }

  /** What is to be sent now. */
  poll(now: number): readonly Outgoing[] {
    if (!this.#isConnected) return []
    const due = this.#sendable().filter((pending) => pending.due <= now)
    for (const pending of due) {
      pending.sends += 1
      pending.sentAt = now
      pending.due = now + Math.min(this.timeout * 2 ** (pending.sends - 1), MAX_TIMEOUT_MS)
    }
    return due
  }

  /** When there is something to do next; `null` where nothing waits. */
  deadline(): number | null {
    const ends = this.#pending.map(({ since }) => since + GIVE_UP_MS)
    const sends = this.#isConnected ? this.#sendable().map(({ due }) => due) : []
    return this.#pending.length === 0 ? null : Math.min(...ends, ...sends)
  }

  /** The room answered; `null` where the answer is to nothing that waits, as a second one is. */
  answered(now: number, reply: Reply): Outcome | null {
    if (reply.reply === 'you') return null
    const pending = this.#pending.find(({ id }) => id === reply.id)
    if (!pending) return null
    // Of a repetition nobody knows which sending was answered.
    if (pending.sends === 1) this.#measured(now - pending.sentAt)
    this.#pending = this.#pending.filter((other) => other !== pending)
    const { id, say } = pending
    if (reply.reply === 'accepted') return { id, say, how: 'accepted', message: reply.message }
    return { id, say, how: 'refused', refusal: reply.refusal }
  }

  /** Those that nobody answered for too long; they are sent no more. */
  givenUp(now: number): readonly Outcome[] {
    const over = this.#pending.filter(({ since }) => now - since >= GIVE_UP_MS)
    this.#pending = this.#pending.filter((pending) => !over.includes(pending))
    return over.map((pending) => refused(pending, 'unanswered'))
  }

  /** Of those whose order is seen only the first; of the others all. */
  #sendable(): readonly Pending[] {
    const busy = new Set<string>()
    return this.#pending.filter(({ say }) => {
      const line = lineOf(say)
      if (line === null) return true
      if (busy.has(line)) return false
      busy.add(line)
      return true
    })
  }

  #measured(rtt: number): void {
    if (this.#smoothed === null) {
      this.#smoothed = rtt
      this.#deviation = rtt / 2
    } else {
      this.#deviation += (Math.abs(rtt - this.#smoothed) - this.#deviation) / 4
      this.#smoothed += (rtt - this.#smoothed) / 8
    }
  }
}

/** A number for a saying that nobody used before: 53 random bits. */
export function newId(): number {
  const [high = 0, low = 0] = crypto.getRandomValues(new Uint32Array(2))
  return (high & 0x1f_ffff) * 2 ** 32 + low
}

/** In which line a saying stands: words in theirs, acts in theirs; bullets and taps overtake. */
function lineOf(say: Say): 'words' | 'acts' | null {
  switch (say.kind) {
    case 'danmaku':
    case 'react':
      return null
    case 'chat':
    case 'ask':
    case 'rename':
      return 'words'
    default:
      return 'acts'
  }
}

function refused({ id, say }: { readonly id: number; readonly say: Say }, why: Refusal['why']): Outcome {
  return { id, say, how: 'refused', refusal: { why, seconds: 1, max: 0, detail: '' } }
}
