/** The studio's page: the room is in the path, and the token behind `#`, from where it is taken at once. */

import { find } from '../find'
import { roomOfPath } from '../naming'
import './live-studio'

const room = roomOfPath(location.pathname, 'studio')
const token = new URLSearchParams(location.hash.slice(1)).get('token')
// Whoever sees the screen is not to read it in the address.
if (token !== null) history.replaceState(null, '', location.pathname + location.search)
const studio = document.createElement('live-studio')
studio.room = room
studio.token = token
studio.locate = find
document.body.append(studio)
window.liveStudio = studio
