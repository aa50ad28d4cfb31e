/** The chat: it sticks to its end until somebody reads back, and then tells how many are new. */

import { html, nothing, type PropertyValues, type TemplateResult } from 'lit'

import type { Own } from '../room/board'
import type { Message } from '../room/chat'
import { refused } from './refused'
import { RoomPart } from './room-part'

/** Pixels from the bottom within which the list sticks to it. */
const NEAR = 48

/**
 * `<room-chat>`
 * @fires live-room-reply - a message is to be answered; `detail` is it.
 * @fires live-room-again - a text that was refused is to be written anew; `detail` is what was said.
 */
export class RoomChat extends RoomPart {
  #sticks = true
  #unseen = 0

  protected override willUpdate(changed: PropertyValues<this>): void {
    const before = changed.get('board')
    if (before === undefined) return
    const isMine = before.own.length < this.board.own.length
    this.#sticks ||= isMine
    if (before.messages !== this.board.messages && !this.#sticks) {
      const last = before.messages.at(-1)?.message ?? -1
      this.#unseen += this.board.messages.filter(({ message }) => message > last).length
    }
  }

  protected override updated(): void {
    const list = this.renderRoot.querySelector('.list')
    if (list && this.#sticks) list.scrollTop = list.scrollHeight
  }

  protected override render(): TemplateResult {
    const { strings: text, board } = this
    const own = board.own.filter(({ say }) => say.kind === 'chat')
    return html`
      <ol class="list" role="log" aria-live="off" aria-label=${text.chat} tabindex="0" @scroll=${this.#scrolled}>
        ${board.messages.length + own.length === 0 ? html`<li class="empty">${text.noChat}</li>` : nothing}
        ${board.messages.map((message) => this.#message(message))} ${own.map((one) => this.#own(one))}
      </ol>
      ${this.#unseen > 0 ? html`<button class="below" @click=${this.#toBottom}>${text.newBelow(this.#unseen)}</button>` : nothing}
    `
  }

  #message(message: Message): TemplateResult {
    const { strings: text, board } = this
    const isOwn = message.viewer === board.you?.viewer
    return html`<li class=${isOwn ? 'mine' : ''}>
      ${message.replyTo ? html`<blockquote>${message.replyTo.name}: ${message.replyTo.text}</blockquote>` : nothing}
      <p>
        <b>${message.name}</b>
        ${message.role === 'viewer' ? nothing : html`<em>${message.role === 'host' ? text.host : text.moderator}</em>`}
        <span>${message.text}</span>
      </p>
      <button class="reply" aria-label="${text.reply}: ${message.name}" @click=${() => this.tell('live-room-reply', message)}>${text.reply}</button>
    </li>`
  }

  #own(own: Own): TemplateResult {
    const { strings: text } = this
    return html`<li class="own">
      <p>${own.say.text}</p>
      ${own.refusal === null
        ? html`<small>${text.sending}</small>`
        : html`<small class="failed">${refused(text, own.refusal)}</small>
            <button class="again" @click=${() => this.tell('live-room-again', own)}>${text.writeAgain}</button>`}
    </li>`
  }

  readonly #scrolled = (event: Event): void => {
    const list = event.target as HTMLElement
    this.#sticks = list.scrollHeight - list.scrollTop - list.clientHeight < NEAR
    if (!this.#sticks || this.#unseen === 0) return
    this.#unseen = 0
    this.requestUpdate()
  }

  readonly #toBottom = (): void => {
    this.#sticks = true
    this.#unseen = 0
    this.requestUpdate()
  }
}

customElements.define('room-chat', RoomChat)
