/** The chat as moderators see it: what waits for them first, and everything at a click or a key. */

import { html, nothing, type PropertyValues, type TemplateResult } from 'lit'

import { MAX_CHARS, type Message } from '../room/chat'
import type { Waiting } from '../room/desk'
import { Part } from './part'
import { refusedWords } from './refused'
import { isForRow, rowsOf, walk } from './rows'

/** Pixels from the bottom within which the list sticks to it. */
const NEAR = 48
const MINUTES = [1, 10, 60] as const

/** What is being decided about the writer of a message. */
interface Decision {
  readonly message: number
  readonly what: 'mute' | 'ban'
}

/** `<studio-chat>` */
export class StudioChat extends Part {
  #decision: Decision | null = null
  #reply: Message | null = null
  #sticks = true
  #unseen = 0
  /** Place of the row that had the focus before it went. */
  #lost: number | null = null

  protected override willUpdate(changed: PropertyValues<this>): void {
    const before = changed.get('board')?.messages
    if (before && before !== this.board.messages && !this.#sticks) {
      const last = before.at(-1)?.message ?? -1
      this.#unseen += this.board.messages.filter(({ message }) => message > last).length
    }
    const focused = this.shadowRoot?.activeElement?.closest<HTMLElement>('[data-row]')
    this.#lost = focused ? rowsOf(this.renderRoot).indexOf(focused) : null
  }

  protected override updated(): void {
    const list = this.renderRoot.querySelector('.scroll')
    if (list && this.#sticks) list.scrollTop = list.scrollHeight
    // A row that is gone hands the focus to the one in its place.
    if (this.#lost !== null && this.#lost >= 0 && !this.shadowRoot?.activeElement) {
      const rows = rowsOf(this.renderRoot)
      rows[Math.min(this.#lost, rows.length - 1)]?.focus()
    }
  }

  protected override render(): TemplateResult {
    const { text, board } = this
    const waiting = board.desk?.waiting ?? []
    const own = board.own.filter(({ say }) => say.kind === 'chat')
    const none = board.messages.length + own.length + waiting.length === 0
    return html`
      <div class="scroll" @scroll=${this.#scrolled} @keydown=${this.#pressed}>
        ${waiting.length === 0
          ? nothing
          : html`<h2>${text.waiting}</h2>
              <ul aria-label=${text.waiting}>${waiting.map((one) => this.#waits(one))}</ul>
              <h2>${text.chat}</h2>`}
        <ol aria-label=${text.chat}>
          ${none ? html`<li class="empty">${text.noChat}</li>` : nothing}
          ${board.messages.map((message) => this.#message(message))}
          ${own.map(
            ({ say, refusal }) => html`<li class="said">
              ${say.text} <small class=${refusal ? 'failed' : ''}>${refusal ? refusedWords(this.language, refusal) : text.sending}</small>
            </li>`,
          )}
        </ol>
      </div>
      ${this.#unseen > 0 ? html`<button class="act" @click=${this.#toBottom}>${text.newBelow(this.#unseen)}</button>` : nothing}
      ${this.#composer()}
    `
  }

  #waits(one: Waiting): TemplateResult {
    const { text } = this
    return html`<li data-row tabindex="0" data-waiting=${one.message}>
      <p class="said"><b>${one.name}</b>${one.text}</p>
      <div class="acts">
        <button class="act" @click=${() => this.#decide(one.message, 'show')}>${text.show}<kbd>a</kbd></button>
        <button class="act danger" @click=${() => this.#decide(one.message, 'drop')}>${text.drop}<kbd>x</kbd></button>
      </div>
    </li>`
  }

  #message(message: Message): TemplateResult {
    const { text } = this
    const decision = this.#decision?.message === message.message ? this.#decision.what : null
    return html`<li data-row tabindex="0" data-message=${message.message}>
      <p class="said">
        <small>${this.time(message.at)}</small>
        <b>${message.name}</b>${message.replyTo ? html`<small>→ ${message.replyTo.name}: </small>` : nothing}${message.text}
      </p>
      ${decision === 'mute' ? this.#muting(message) : decision === 'ban' ? this.#banning(message) : html`<div class="acts quiet">
        <button class="act danger" @click=${() => this.say({ kind: 'delete', message: message.message })}>${text.remove}<kbd>d</kbd></button>
        ${message.role === 'viewer'
          ? html`<button class="act" @click=${() => this.#ask(message, 'mute')}>${text.mute}<kbd>m</kbd></button>
              <button class="act" @click=${() => this.#ask(message, 'ban')}>${text.ban}<kbd>b</kbd></button>`
          : nothing}
        <button class="act" @click=${() => this.#answer(message)}>${text.reply}<kbd>r</kbd></button>
        <button class="act" @click=${() => this.say({ kind: 'notice', text: message.text.slice(0, 300) })}>${text.pin}<kbd>p</kbd></button>
      </div>`}
    </li>`
  }

  #muting({ viewer, name }: Message): TemplateResult {
    const { text } = this
    return html`<div class="acts" role="group" aria-label=${text.muteFor(name)}>
      <span class="soft">${text.muteFor(name)}</span>
      ${MINUTES.map(
        (minutes) => html`<button class="act" @click=${() => this.#done({ kind: 'mute', viewer, seconds: minutes * 60 })}>
          ${text.minutes(minutes)}
        </button>`,
      )}
      <button class="act" @click=${this.#cancel}>${text.cancel}</button>
    </div>`
  }

  #banning({ viewer, name }: Message): TemplateResult {
    const { text } = this
    return html`<div class="acts" role="group" aria-label=${text.banWhom(name)}>
      <span class="soft">${text.banWhom(name)}</span>
      <button class="act danger" @click=${() => this.#done({ kind: 'ban', viewer, reach: 'viewer' })}>${text.banViewer}</button>
      <button class="act danger" @click=${() => this.#done({ kind: 'ban', viewer, reach: 'address' })}>${text.banAddress}</button>
      <button class="act" @click=${this.#cancel}>${text.cancel}</button>
    </div>`
  }

  #composer(): TemplateResult {
    const { text, board } = this
    const words = text.sayAs(board.you?.name ?? '')
    return html`
      ${this.#reply
        ? html`<p class="line soft" style="padding: 6px 16px 0">
            ${text.replyingTo(this.#reply.name)}: ${this.#reply.text}
            <button class="act" @click=${this.#cancel}>${text.cancel}</button>
          </p>`
        : nothing}
      <form class="composer" @submit=${this.#submit}>
        <input maxlength=${MAX_CHARS} placeholder=${words} aria-label=${words} autocomplete="off" @keydown=${this.#typed} />
        <button class="solid">${text.send}</button>
      </form>
    `
  }

  readonly #submit = (event: Event): void => {
    event.preventDefault()
    const field = this.renderRoot.querySelector('input')
    const said = field?.value.trim() ?? ''
    if (field === null || said === '') return
    this.say({ kind: 'chat', text: said, ...(this.#reply ? { replyTo: this.#reply.message } : {}) })
    field.value = ''
    this.#reply = null
    this.#sticks = true
    this.requestUpdate()
  }

  readonly #typed = (event: KeyboardEvent): void => {
    if (event.key === 'Escape') this.#cancel()
  }

  readonly #pressed = (event: KeyboardEvent): void => {
    if (!isForRow(event) || walk(event, this.renderRoot)) return
    if (event.key === 'Escape') this.#cancel()
    const [target] = event.composedPath()
    const row = target instanceof Element ? target.closest<HTMLElement>('[data-row]') : null
    const waits = row?.dataset.waiting
    if (waits !== undefined) {
      if (event.key === 'a') this.#decide(Number(waits), 'show')
      if (event.key === 'x') this.#decide(Number(waits), 'drop')
      return
    }
    const message = this.board.messages.find((one) => String(one.message) === row?.dataset.message)
    if (!message) return
    switch (event.key) {
      case 'd':
        this.say({ kind: 'delete', message: message.message })
        break
      case 'm':
        this.#ask(message, 'mute')
        break
      case 'b':
        this.#ask(message, 'ban')
        break
      case 'r':
        this.#answer(message)
        break
      case 'p':
        this.say({ kind: 'notice', text: message.text.slice(0, 300) })
        break
      default:
        return
    }
    event.preventDefault()
  }

  #decide(message: number, verdict: 'show' | 'drop'): void {
    this.say({ kind: 'approve', message, verdict })
  }

  /** Asks how long, or how far. Nobody does it to those who moderate. */
  #ask({ message, role }: Message, what: Decision['what']): void {
    if (role !== 'viewer') return
    this.#decision = { message, what }
    this.requestUpdate()
    void this.updateComplete.then(() => this.renderRoot.querySelector<HTMLElement>(`[data-message='${message}'] .acts button`)?.focus())
  }

  #done(say: Parameters<Part['say']>[0]): void {
    this.say(say)
    this.#cancel()
  }

  #answer(message: Message): void {
    this.#reply = message
    this.requestUpdate()
    this.renderRoot.querySelector('input')?.focus()
  }

  readonly #cancel = (): void => {
    const decided = this.#decision?.message
    this.#decision = null
    this.#reply = null
    this.requestUpdate()
    if (decided !== undefined) this.renderRoot.querySelector<HTMLElement>(`[data-message='${decided}']`)?.focus()
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

customElements.define('studio-chat', StudioChat)
