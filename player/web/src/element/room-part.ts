/** What every part of the room's panel has: the words, the room as it is known, and a way to say something. */

import { LitElement } from 'lit'

import type { Strings } from '../i18n'
import type { Board } from '../room/board'
import type { Say } from '../room/say'
import { panelStyles } from './room-panel-styles'
import { shapes, tokens } from './theme'

/**
 * A part of the panel.
 * @fires live-room-say - something is to be said; `detail` is it.
 */
export abstract class RoomPart extends LitElement {
  static override properties = { strings: { attribute: false }, board: { attribute: false } }
  declare strings: Strings
  declare board: Board
  static override styles = [tokens, shapes, panelStyles]

  /** Says something. */
  protected say(say: Say): void {
    this.tell('live-room-say', say)
  }

  /** Tells the elements around. */
  protected tell(event: string, detail: unknown): void {
    this.dispatchEvent(new CustomEvent(event, { detail, bubbles: true, composed: true }))
  }
}
