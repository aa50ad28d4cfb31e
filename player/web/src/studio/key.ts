/** The token with which somebody comes into the studio: found, looked at and kept for this tab. It is read here, never checked: that is the relay's. */

import { fields, text } from '../room/json'
import { moderates, readRole, type Role } from '../room/identity'

/** Why a token opens no studio. */
export type Fault =
  | { readonly why: 'unreadable' | 'viewer' | 'expired' | 'refused' }
  | { readonly why: 'room'; readonly room: string }

/** What a token says of its bearer. */
export interface Claims {
  readonly room: string
  readonly role: Role
  /** Seconds since the Unix epoch; `null` for never. */
  readonly expires: number | null
}

/** The token in `pasted`, which is one or a link with one behind `#token=`. */
export function tokenIn(pasted: string): string | null {
  const word = pasted.trim()
  const [, behind] = word.split('#', 2)
  const token = behind === undefined ? word : new URLSearchParams(behind).get('token')
  return token !== null && /^[\w-]+\.[\w-]+\.[\w-]*$/.test(token) ? token : null
}

/** What a token says; `null` where it cannot be read. */
export function claimsOf(token: string): Claims | null {
  try {
    const body = (token.split('.')[1] ?? '').replace(/-/g, '+').replace(/_/g, '/')
    const bytes = Uint8Array.from(atob(body), (letter) => letter.charCodeAt(0))
    const { room, role, exp } = fields(JSON.parse(new TextDecoder().decode(bytes)))
    const named = text(room)
    return named === null ? null : { room: named, role: readRole(role), expires: typeof exp === 'number' ? exp : null }
  } catch {
    return null
  }
}

/** What is wrong with a token for the studio of `room`; `null` where it may be tried. `now` in milliseconds since the Unix epoch. */
export function faultOf(token: string, room: string, now: number): Fault | null {
  const claims = claimsOf(token)
  if (claims === null) return { why: 'unreadable' }
  if (claims.room !== room) return { why: 'room', room: claims.room }
  if (!moderates(claims.role)) return { why: 'viewer' }
  if (claims.expires !== null && claims.expires * 1_000 <= now) return { why: 'expired' }
  return null
}

const keptAs = (room: string): string => `live-room:studio:${room}`

/** The token that this tab has for a room. */
export function kept(room: string): string | null {
  try {
    return sessionStorage.getItem(keptAs(room))
  } catch {
    return null
  }
}

/** Keeps a token for this tab; `null` forgets it. */
export function keep(room: string, token: string | null): void {
  try {
    if (token === null) sessionStorage.removeItem(keptAs(room))
    else sessionStorage.setItem(keptAs(room), token)
  } catch {
    // Without storage a reload asks for the token again.
  }
}
