/** How a viewer comes into a room: with its token, or by the room's door, which gives it one. */

import type { Admission } from '../client'
import { recall, remember } from '../element/storage'
import { fields, text } from './json'

/** Asks the relay's site for a token: the same viewer as before where its cookie says so. */
export async function join(room: string, name: string | null): Promise<Admission> {
  const response = await fetch(`/api/rooms/${encodeURIComponent(room)}/join`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(name === null ? {} : { name }),
  })
  // A relay without a door lets anybody speak, or nobody.
  if (response.status === 404 || response.status === 405) return anybody()
  if (!response.ok) throw new Error(`the room's door: HTTP ${response.status}`)
  const { token, viewer } = fields(await response.json())
  return { token: text(token), viewer: text(viewer) }
}

/** A name of one's own, for relays that ask no tokens. */
export function anybody(): Admission {
  const known = recall('viewer')
  const viewer = known ?? `guest-${crypto.randomUUID().slice(0, 13)}`
  if (known === null) remember('viewer', viewer)
  return { token: null, viewer }
}

/** Whom a token names. It is read, not checked: that is the relay's. */
export function bearer(token: string): Admission {
  try {
    const body = (token.split('.')[1] ?? '').replace(/-/g, '+').replace(/_/g, '/')
    const bytes = Uint8Array.from(atob(body), (letter) => letter.charCodeAt(0))
    return { token, viewer: text(fields(JSON.parse(new TextDecoder().decode(bytes))).sub) }
  } catch {
    return { token, viewer: null }
  }
}
