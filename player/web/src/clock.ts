/** The local clock: milliseconds since the Unix epoch, finer than `Date.now()` and never going back. */

const offset = Date.now() - performance.now()

/** Now. */
export function now(): number {
  return offset + performance.now()
}
