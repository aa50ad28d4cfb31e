/** Reading what the relay said: what is missing or of another kind is `null`, what is unknown is left out. */

/** The fields of an object; of anything else, none. */
export type Fields = Readonly<Record<string, unknown>>

/** An object's fields. */
export function fields(value: unknown): Fields {
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Fields) : {}
}

/** A text, or `null`. */
export function text(value: unknown): string | null {
  return typeof value === 'string' ? value : null
}

/** A whole number of 0 or more, or `null`. */
export function count(value: unknown): number | null {
  return typeof value === 'number' && Number.isSafeInteger(value) && value >= 0 ? value : null
}

/** The known ones of a list's items. */
export function list<T>(value: unknown, read: (item: unknown) => T | null): readonly T[] {
  if (!Array.isArray(value)) return []
  return value.map((item) => read(item)).filter((item): item is Awaited<T> & T => item !== null)
}

/** One of some words, or `otherwise`. */
export function word<T extends string>(value: unknown, words: readonly T[], otherwise: T): T {
  return words.find((one) => one === value) ?? otherwise
}

/** The JSON of an object's payload; `null` where it is none. */
export function parse(payload: Uint8Array): unknown {
  try {
    return JSON.parse(new TextDecoder().decode(payload)) as unknown
  } catch {
    return null
  }
}
