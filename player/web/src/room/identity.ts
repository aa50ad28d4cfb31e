/** Who somebody is, and what they may do. */

import { fields, text, word } from './json'

/** What somebody may do in a room. */
export type Role = 'viewer' | 'moderator' | 'host'
/** Whether somebody came through the room's door or was sent by the streamer's own site. */
export type Standing = 'guest' | 'member'

/** Who said something, as everybody sees it. */
export interface Speaker {
  readonly viewer: string
  readonly name: string
  readonly role: Role
}

const ROLES = ['viewer', 'moderator', 'host'] as const

/** Whether a role may act on what others say. */
export function moderates(role: Role): boolean {
  return role !== 'viewer'
}

export function readRole(value: unknown): Role {
  return word(value, ROLES, 'viewer')
}

export function readSpeaker(value: unknown): Speaker | null {
  const { viewer, name, role } = fields(value)
  const id = text(viewer)
  return id === null ? null : { viewer: id, name: text(name) ?? id, role: readRole(role) }
}
