/** Which key does what. */

import type { Action } from './action'

const VOLUME_STEP = 0.1

/** What a key press asks for; `null` where it is not for the player. */
export function keyAction(event: KeyboardEvent, now: { readonly volume: number; readonly silent: boolean }): Action | null {
  if (event.ctrlKey || event.metaKey || event.altKey || event.isComposing) return null
  const [target] = event.composedPath()
  const inControl = target instanceof HTMLButtonElement
  if (target instanceof HTMLTextAreaElement || (target instanceof HTMLElement && target.isContentEditable)) return null
  const inSlider = target instanceof HTMLInputElement
  if (inSlider && target.type !== 'range') return null
  switch (event.key) {
    case ' ':
      return inControl ? null : { type: 'play' }
    case 'k':
      return { type: 'play' }
    case 'm':
      return { type: now.silent ? 'unmute' : 'mute' }
    case 'f':
      return { type: 'fullscreen' }
    case 's':
      return { type: 'statistics' }
    case 'd':
      return { type: 'danmaku', change: 'toggle' }
    case 'l':
      return { type: 'jump' }
    case '?':
      return { type: 'help' }
    case 'ArrowUp':
      return inSlider ? null : { type: 'volume', volume: now.volume + VOLUME_STEP }
    case 'ArrowDown':
      return inSlider ? null : { type: 'volume', volume: now.volume - VOLUME_STEP }
    case 'ArrowRight':
      return inSlider ? null : { type: 'jump' }
    default:
      return null
  }
}
