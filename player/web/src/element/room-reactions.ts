/** The like button with its count, and the other reactions behind it. */

import { html, nothing, type TemplateResult } from 'lit'

import { REACTIONS, type Reaction } from '../room/reactions'
import { RoomPart } from './room-part'

/** How each looks. */
export const FACES: Readonly<Record<Reaction, string>> = { like: '❤️', clap: '👏', laugh: '😄', wow: '😮', party: '🎉', confused: '🤔' }

/**
 * `<room-reactions>`
 * @fires live-room-tap - a reaction was tapped; `detail` is which.
 */
export class RoomReactions extends RoomPart {
  #isOpen = false

  protected override render(): TemplateResult {
    const { strings: text, board } = this
    const { totals } = board.tally
    return html`
      ${this.#isOpen
        ? html`<div class="faces" role="group" aria-label=${text.moreReactions} @keydown=${this.#pressed}>
            ${REACTIONS.filter((reaction) => reaction !== 'like').map(
              (reaction) => html`<button aria-label="${text.reaction[reaction]}: ${totals[reaction] ?? 0}" @click=${() => this.tell('live-room-tap', reaction)}>
                ${FACES[reaction]}
              </button>`,
            )}
          </div>`
        : nothing}
      <button class="like" aria-label="${text.like}: ${totals.like ?? 0}" @click=${() => this.tell('live-room-tap', 'like')}>♥ ${totals.like ?? 0}</button>
      <button class="more" aria-label=${text.moreReactions} aria-expanded=${String(this.#isOpen)} @click=${this.#toggle}>☺</button>
    `
  }

  readonly #toggle = (): void => {
    this.#isOpen = !this.#isOpen
    this.requestUpdate()
  }

  readonly #pressed = (event: KeyboardEvent): void => {
    if (event.key === 'Escape') this.#toggle()
  }
}

customElements.define('room-reactions', RoomReactions)
