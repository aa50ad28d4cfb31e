/** What is shown when playback is where it was said, or at once where that is unknown or far away. */

/** Playback that is further behind than this waits for nothing. */
const MAX_WAIT_MS = 5_000
const MAX_WAITING = 256

interface Waiting<T> {
  readonly item: T
  /** Capture time, milliseconds. */
  readonly media: number
  readonly until: number
}

/** Keeps order: nothing overtakes what was put before it. Full, its oldest is shown at once. */
export class Timeline<T> {
  #waiting: Waiting<T>[] = []

  /** @param media microseconds since the epoch; `null` where it is not known. */
  put(now: number, item: T, media: number | null): void {
    this.#waiting.push({ item, media: media === null ? -Infinity : media / 1_000, until: now + MAX_WAIT_MS })
  }

  /** What is due when playback is at `media` milliseconds; everything where nothing plays. */
  due(now: number, media: number | null): readonly T[] {
    const isDue = (one: Waiting<T>): boolean =>
      media === null || one.media <= media || one.media - media > MAX_WAIT_MS || now >= one.until
    let count = Math.max(this.#waiting.length - MAX_WAITING, 0)
    for (let next = this.#waiting[count]; next && isDue(next); next = this.#waiting[count]) count += 1
    return this.#waiting.splice(0, count).map(({ item }) => item)
  }
}
