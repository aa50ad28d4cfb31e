/** Who one is in the room: the name, which can be changed, and a hand that can be raised. */

import { html, nothing, type TemplateResult } from 'lit'

import { MAX_NAME_CHARS } from '../room/presence'
import { RoomPart } from './room-part'
import { remember } from './storage'

/** `<room-me>` */
export class RoomMe extends RoomPart {
  #isEditing = false

  protected override render(): TemplateResult | typeof nothing {
    const { strings: text, board } = this
    const { you } = board
    if (you === null) return nothing
    const { hands } = board.state.mode.features
    // As everybody sees it: a moderator may have lowered it.
    const isUp = board.state.hands.some(({ viewer }) => viewer === you.viewer)
    return html`<div class="me">
      ${this.#isEditing
        ? html`<form @submit=${this.#save} @keydown=${this.#pressed}>
            <input name="name" maxlength=${MAX_NAME_CHARS} required .value=${you.name} aria-label=${text.you} autocomplete="nickname" />
            <button class="send">${text.save}</button>
            <button type="button" class="quiet" @click=${this.#close}>${text.cancel}</button>
          </form>`
        : html`<button class="quiet name" aria-label="${text.rename}: ${you.name}" title=${text.rename} @click=${this.#edit}>${you.name} ✎</button>`}
      ${hands && !this.#isEditing
        ? html`<button class="quiet" aria-pressed=${String(isUp)} @click=${() => this.say({ kind: 'hand', hand: isUp ? 'down' : 'up' })}>
            ✋ ${isUp ? text.lowerHand : text.raiseHand}
          </button>`
        : nothing}
      ${this.#isEditing ? nothing : html`<span class="watching">${text.watching(board.state.presence.watching)}</span>`}
    </div>`
  }

  readonly #edit = (): void => {
    this.#isEditing = true
    this.requestUpdate()
    void this.updateComplete.then(() => this.renderRoot.querySelector('input')?.select())
  }

  readonly #save = (event: Event): void => {
    event.preventDefault()
    const name = this.renderRoot.querySelector('input')?.value.trim() ?? ''
    if (name === '') return
    if (name !== this.board.you?.name) {
      this.say({ kind: 'rename', name })
      remember('name', name)
    }
    this.#close()
  }

  readonly #pressed = (event: KeyboardEvent): void => {
    if (event.key === 'Escape') this.#close()
  }

  readonly #close = (): void => {
    this.#isEditing = false
    this.requestUpdate()
    void this.updateComplete.then(() => this.renderRoot.querySelector('button')?.focus())
  }
}

customElements.define('room-me', RoomMe)
