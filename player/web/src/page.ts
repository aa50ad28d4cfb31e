/** The relay's page: one room, whose name is in the path. */

import './element/live-room'
import { recall } from './element/storage'
import { find } from './find'
import { choose, strings } from './i18n'
import { roomOfPath } from './naming'
import { join } from './room/door'

const room = roomOfPath(location.pathname)
const element = document.createElement('live-room')
element.room = room
element.token = new URLSearchParams(location.hash.slice(1)).get('token')
element.locate = find
element.admit = () => join(room ?? '', recall('name'))
element.whole = true
document.body.append(element)
window.liveRoom = element

const language = choose(navigator.languages)
document.documentElement.lang = language
if (room !== null) document.title = strings(language).title(room)
