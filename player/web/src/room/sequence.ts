/** A track of snapshots and deltas: object 0 of a group is all of it, each later one changes it. */

/** Changes that wait for those before them; past it the group is given up, and the next snapshot makes it good. */
const MAX_WAITING = 512

/** Puts objects in order, however they come. */
export class Sequence<T> {
  #now: T | null = null
  #group = -1
  #next = 0
  readonly #waiting = new Map<number, unknown>()

  constructor(
    private readonly read: (value: unknown) => T,
    private readonly apply: (now: T, delta: unknown) => T,
  ) {}

  /** Takes an object; returns what is now, where that changed. */
  take(group: number, object: number, value: unknown): T | null {
    if (group < this.#group || (group === this.#group && object < this.#next)) return null
    if (group > this.#group) {
      this.#group = group
      this.#next = 0
      this.#waiting.clear()
    }
    if (this.#waiting.size < MAX_WAITING) this.#waiting.set(object, value)
    const from = this.#next
    while (this.#waiting.has(this.#next)) {
      const next = this.#waiting.get(this.#next)
      this.#waiting.delete(this.#next)
      this.#now = this.#next === 0 || this.#now === null ? this.read(next) : this.apply(this.#now, next)
      this.#next += 1
    }
    return this.#next > from ? this.#now : null
  }
}
