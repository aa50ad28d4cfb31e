/** Every namespace and track name of the live room, in one place. */

/** A track's full name: namespace fields and the name below it. */
export interface TrackName {
  readonly namespace: readonly string[]
  readonly name: string
}

/** Whether `text` names a room: 1 to 64 of `a-z A-Z 0-9 - _`. */
export function isRoom(text: string): boolean {
  return /^[A-Za-z0-9_-]{1,64}$/.test(text)
}

/** Where the streamer of a room publishes. */
export function stage(room: string): readonly string[] {
  return ['room', room, 'stage']
}

/** The MSF catalog of a room. */
export function catalog(room: string): TrackName {
  return onStage(room, 'catalog')
}

/** A track that the catalog of a room names. */
export function onStage(room: string, name: string): TrackName {
  return { namespace: stage(room), name }
}

/** The room in the page's path (`/<room>`); `null` where the path names none. */
export function roomOfPath(path: string): string | null {
  const first = path.split('/').find((part) => part !== '')
  if (first === undefined) return null
  let room: string
  try {
    room = decodeURIComponent(first)
  } catch {
    return null
  }
  return isRoom(room) ? room : null
}
