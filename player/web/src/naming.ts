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

/** A track of the room's own: what everybody hears, and `desk` for moderators. */
export type FeedName = 'state' | 'chat' | 'danmaku' | 'reactions' | 'desk'

/** Where the room speaks to everybody. */
export function onFeed(room: string, name: FeedName): TrackName {
  return { namespace: ['room', room, 'feed'], name }
}

/** The track on which a viewer speaks, and the one on which the room answers. */
export function ofViewer(room: string, viewer: string, name: 'say' | 'replies'): TrackName {
  return { namespace: ['room', room, 'audience', viewer], name }
}

/** The room in the page's path (`/<room>`, or `/studio/<room>`); `null` where the path names none. */
export function roomOfPath(path: string, page: 'viewer' | 'studio' = 'viewer'): string | null {
  const parts = path.split('/').filter((part) => part !== '')
  const first = page === 'viewer' ? parts[0] : parts[1]
  if (first === undefined) return null
  let room: string
  try {
    room = decodeURIComponent(first)
  } catch {
    return null
  }
  return isRoom(room) ? room : null
}
