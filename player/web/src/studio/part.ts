/** What every part of the studio has: the words, the room as it is known, and a way to act in it. */

import { LitElement } from 'lit'

import type { Language } from '../i18n'
import { studioStrings, type StudioStrings } from '../i18n/studio'
import type { Board } from '../room/board'
import type { Say } from '../room/say'
import { shapes, tokens } from '../element/theme'
import { partStyles } from './styles'

/**
 * A part of the studio.
 * @fires live-room-say - something is to be said or done in the room; `detail` is it.
 */
export abstract class Part extends LitElement {
  static override properties = { language: { attribute: false }, board: { attribute: false } }
  declare language: Language
  declare board: Board
  static override styles = [tokens, shapes, partStyles]

  protected get text(): StudioStrings {
    return studioStrings(this.language)
  }

  /** Says or does something in the room. */
  protected say(say: Say): void {
    this.dispatchEvent(new CustomEvent<Say>('live-room-say', { detail: say, bubbles: true, composed: true }))
  }

  /** A time of day, as people of the language write it. */
  protected time(at: number): string {
    return new Date(at).toLocaleTimeString(this.language, { hour: '2-digit', minute: '2-digit' })
  }
}
