/** Which datagrams did not come, by their object IDs, and which of them are worth fetching. */

const MAX_AGE_MS = 3_000
const MAX_MISSING = 64
const MAX_SEEN = 512

/** A run of missing objects, `to` left out. */
export interface Gap {
  readonly group: number
  readonly from: number
  readonly to: number
}

/** Watches one track. */
export class Gaps {
  /** Whether the object taken last had not come before. */
  isNew = false
  #group = -1
  #next = 0
  #missing: (Gap & { readonly since: number })[] = []
  readonly #seen = new Set<string>()

  /** Takes an object's place; returns the gap before it, where there is a new one. */
  take(now: number, group: number, object: number): Gap | null {
    const place = `${group}/${object}`
    this.isNew = !this.#seen.has(place)
    this.#seen.add(place)
    for (const oldest of this.#seen) {
      if (this.#seen.size <= MAX_SEEN) break
      this.#seen.delete(oldest)
    }
    if (group < this.#group || (group === this.#group && object < this.#next)) return null
    // How the group before ended is not known: only gaps within one are.
    const from = group === this.#group ? this.#next : this.#group < 0 ? object : 0
    this.#group = group
    this.#next = object + 1
    if (from >= object || object - from > MAX_MISSING) return null
    const gap = { group, from, to: object, since: now }
    this.#missing = [...this.#missing, gap].slice(-MAX_MISSING)
    return gap
  }

  /** Gaps that are still open and young enough; each is given once. */
  wanted(now: number): readonly Gap[] {
    const missing = this.#missing
    this.#missing = []
    return missing
      .filter(({ since }) => now - since <= MAX_AGE_MS)
      .flatMap(({ group, from, to }) => {
        const open = Array.from({ length: to - from }, (_, at) => from + at).filter(
          (object) => !this.#seen.has(`${group}/${object}`),
        )
        const [first, last] = [open[0], open.at(-1)]
        return first === undefined || last === undefined ? [] : [{ group, from: first, to: last + 1 }]
      })
  }
}
