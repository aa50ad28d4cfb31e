/** The relay's page: one room, whose name is in the path. */

import type { Endpoint } from './client'
import './element/live-room'
import { choose, strings } from './i18n'
import { roomOfPath } from './naming'
import { join } from './room/door'

const room = roomOfPath(location.pathname)
const element = document.createElement('live-room')
element.room = room
element.token = new URLSearchParams(location.hash.slice(1)).get('token')
element.locate = locate
element.admit = () => join(room ?? '', null)
element.whole = true
document.body.append(element)
window.liveRoom = element

const language = choose(navigator.languages)
document.documentElement.lang = language
if (room !== null) document.title = strings(language).title(room)

/** The relay says where it speaks MoQT, and which certificate it has at present. */
async function locate(): Promise<Endpoint> {
  const response = await fetch('/certificate.json', { cache: 'no-store' })
  if (!response.ok) throw new Error(`/certificate.json: HTTP ${response.status}`)
  const { hash, port } = (await response.json()) as { hash: string | null; port: number }
  const host = location.hostname || 'localhost'
  return { relay: `https://${host}:${port}/`, certHash: hash || null }
}
