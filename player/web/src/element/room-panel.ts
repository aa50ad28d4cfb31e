/** Beside the picture: the room's parts behind tabs, and what a viewer writes. */

import { html, nothing, type PropertyValues, type TemplateResult } from 'lit'

import type { Own } from '../room/board'
import type { Message } from '../room/chat'
import { Announcer } from './announcer'
import './room-chat'
import './room-composer'
import type { RoomComposer } from './room-composer'
import './room-me'
import { RoomPart } from './room-part'
import './room-polls'
import './room-products'
import './room-questions'
import './room-reactions'

const TABS = ['chat', 'questions', 'polls', 'products'] as const
type Tab = (typeof TABS)[number]

/**
 * `<live-room-panel>`
 * @fires live-room-say - something is to be said; `detail` is it.
 * @fires live-room-tap - a reaction was tapped; `detail` is which.
 * @fires live-room-take-back - a text that was refused is being written anew; `detail` is its number.
 */
export class RoomPanel extends RoomPart {
  #tab: Tab = 'chat'
  /** Tabs with something that was not looked at. */
  readonly #fresh = new Set<Tab>()
  readonly #announcer = new Announcer(() => this.requestUpdate())

  override disconnectedCallback(): void {
    super.disconnectedCallback()
    this.#announcer.stop()
  }

  protected override willUpdate(changed: PropertyValues<this>): void {
    const before = changed.get('board')
    if (before === undefined || before === this.board || before.you === null) return
    const { state, messages } = this.board
    const more = { chat: messages.length > 0 && messages.at(-1)?.message !== before.messages.at(-1)?.message }
    const newer = <T>(now: readonly T[], then: readonly T[], id: (one: T) => number): boolean =>
      now !== then && Math.max(-1, ...now.map(id)) > Math.max(-1, ...then.map(id))
    const news: Record<Tab, boolean> = {
      ...more,
      questions: newer(state.questions, before.state.questions, ({ question }) => question),
      polls: newer(state.polls, before.state.polls, ({ poll }) => poll),
      products: newer(state.products, before.state.products, ({ product }) => product),
    }
    for (const tab of TABS) if (news[tab] && tab !== this.#tab) this.#fresh.add(tab)
    this.#announcer.compare(this.strings, before, this.board)
  }

  protected override render(): TemplateResult {
    const { strings: text, board } = this
    const { features } = board.state.mode
    const tabs = TABS.filter((tab) => features[tab])
    const tab = tabs.includes(this.#tab) ? this.#tab : tabs[0]
    return html`
      <section class="panel-body" aria-label=${text.room} @live-room-reply=${this.#reply} @live-room-again=${this.#again}>
        <header role="tablist" aria-label=${text.room} @keydown=${this.#turnByKey}>${tabs.map((one) => this.#tabOf(one, one === tab))}</header>
        ${board.state.notice ? html`<p class="notice" role="note">📌 ${board.state.notice.text}</p>` : nothing} ${this.#link()}
        ${this.#part(tab)}
        <room-me .strings=${text} .board=${board}></room-me>
        ${tab === 'chat' || tab === 'questions'
          ? html`<room-composer .strings=${text} .board=${board} .purpose=${tab}>
              ${features.reactions ? html`<room-reactions .strings=${text} .board=${board}></room-reactions>` : nothing}
            </room-composer>`
          : nothing}
        <p class="unseen" role="status" aria-live="polite">${this.#announcer.words}</p>
      </section>
    `
  }

  #tabOf(tab: Tab, isOpen: boolean): TemplateResult {
    const { strings: text } = this
    const isFresh = this.#fresh.has(tab) && !isOpen
    return html`<button
      role="tab" tabindex=${isOpen ? 0 : -1} aria-selected=${String(isOpen)} class=${isFresh ? 'fresh' : ''}
      aria-label=${isFresh ? text.newOnes(text[tab]) : text[tab]} @click=${() => this.#turn(tab)}
    >
      ${text[tab]}
    </button>`
  }

  #link(): TemplateResult | typeof nothing {
    const { strings: text, board } = this
    switch (board.link) {
      case 'lost':
        return html`<p class="notice" role="status">${text.roomLost}</p>`
      case 'denied':
        return html`<p class="notice" role="status">${text.roomDenied}</p>`
      case 'joining':
      case 'joined':
        return nothing
    }
  }

  #part(tab: Tab | undefined): TemplateResult {
    const { strings: text, board } = this
    switch (tab) {
      case 'questions':
        return html`<room-questions class="grow" .strings=${text} .board=${board}></room-questions>`
      case 'polls':
        return html`<room-polls class="grow" .strings=${text} .board=${board}></room-polls>`
      case 'products':
        return html`<room-products class="grow" .strings=${text} .board=${board}></room-products>`
      case 'chat':
      case undefined:
        return html`<room-chat class="grow" .strings=${text} .board=${board}></room-chat>`
    }
  }

  get #composer(): RoomComposer | null {
    return this.renderRoot.querySelector('room-composer')
  }

  readonly #reply = ({ detail }: CustomEvent<Message>): void => this.#composer?.answer(detail)

  readonly #again = ({ detail }: CustomEvent<Own>): void => this.#composer?.again(detail)

  #turn(tab: Tab): void {
    this.#tab = tab
    this.#fresh.delete(tab)
    this.requestUpdate()
  }

  readonly #turnByKey = (event: KeyboardEvent): void => {
    const tabs = [...this.renderRoot.querySelectorAll<HTMLElement>('[role=tab]')]
    const at = tabs.findIndex((tab) => tab === this.shadowRoot?.activeElement)
    const by = { ArrowRight: 1, ArrowLeft: -1 }[event.key]
    const next = by === undefined || at < 0 ? undefined : tabs.at((at + by) % tabs.length)
    if (!next) return
    event.preventDefault()
    event.stopPropagation()
    next.click()
    next.focus()
  }
}

customElements.define('live-room-panel', RoomPanel)
