/** Where a viewer writes: what is refused comes back into the field, and a wait is counted down. */

import { html, nothing, type PropertyValues, type TemplateResult } from 'lit'

import type { Own } from '../room/board'
import { MAX_CHARS as CHAT_CHARS, type Message } from '../room/chat'
import { COLORS, MAX_CHARS as BULLET_CHARS, MODES, type Mode } from '../room/danmaku'
import { moderates } from '../room/identity'
import { MAX_CHARS as QUESTION_CHARS } from '../room/questions'
import type { Refusal } from '../room/say'
import { refused } from './refused'
import { RoomPart } from './room-part'
import { recall, remember } from './storage'

/** From so many characters left on, they are counted. */
const FEW = 30
const TICK_MS = 250
const WAITS: readonly Refusal['why'][] = ['tooFast', 'busy', 'muted']

/** What is written: it says where it goes. */
export type Purpose = 'chat' | 'questions'

/**
 * `<room-composer>`
 * @fires live-room-take-back - a text that was refused is in the field again; `detail` is its number.
 */
export class RoomComposer extends RoomPart {
  static override properties = { ...RoomPart.properties, purpose: { attribute: false } }
  declare purpose: Purpose

  #draft = ''
  #over = false
  #reply: Message | null = null
  #color: string = COLORS.find((color) => color === recall('danmaku-color')) ?? COLORS[0]
  #mode: Mode = MODES.find((mode) => mode === recall('danmaku-mode')) ?? 'scroll'
  /** What was refused last, and why; until the next thing is said. */
  #refusal: Refusal | null = null
  /** Until when nothing is taken, milliseconds since the epoch. */
  #until = 0
  #timer: ReturnType<typeof setInterval> | null = null

  /** Answers a message. */
  answer(message: Message): void {
    this.#reply = message
    this.requestUpdate()
    this.focus()
  }

  /** Puts a text that was refused back into the field. */
  again(own: Own): void {
    this.#draft = own.say.text
    this.tell('live-room-take-back', own.id)
    this.requestUpdate()
    this.focus()
  }

  override focus(): void {
    this.renderRoot.querySelector('input')?.focus()
  }

  override disconnectedCallback(): void {
    super.disconnectedCallback()
    this.#stopTimer()
  }

  protected override willUpdate(changed: PropertyValues<this>): void {
    const before = changed.get('board')
    if (before === undefined || before === this.board) return
    const known = new Set(before.own.filter(({ refusal }) => refusal !== null).map(({ id }) => id))
    const fresh = this.board.own.find(({ id, refusal }) => refusal !== null && !known.has(id))
    const refusal = fresh?.refusal ?? (this.board.refusal === before.refusal ? null : this.board.refusal)
    if (refusal) this.#refusedWith(refusal)
    const isOurs = fresh && (fresh.say.kind === 'ask') === (this.purpose === 'questions')
    if (isOurs && this.#draft === '' && fresh.refusal?.why !== 'waiting') queueMicrotask(() => this.#recover(fresh))
  }

  protected override render(): TemplateResult {
    const { strings: text, board, purpose } = this
    const { features } = board.state.mode
    const isChat = purpose === 'chat'
    const over = isChat && this.#over && features.danmaku
    const max = isChat ? (over ? BULLET_CHARS : CHAT_CHARS) : QUESTION_CHARS
    const words = isChat ? (over ? text.sayOver : text.say) : text.ask
    const left = max - this.#draft.length
    const wait = Math.ceil((this.#until - Date.now()) / 1_000)
    return html`
      ${this.#reply && isChat
        ? html`<p class="answering">
            <span>${this.#reply.name}: ${this.#reply.text}</span>
            <button aria-label=${text.close} @click=${this.#cancel}>✕</button>
          </p>`
        : nothing}
      ${this.#notes(left)} ${over ? this.#style() : nothing}
      <form @submit=${this.#submit} @keydown=${this.#pressed}>
        <input
          .value=${this.#draft} maxlength=${max} placeholder=${words} aria-label=${words} autocomplete="off" enterkeyhint="send"
          @input=${this.#typed}
        />
        ${isChat && features.danmaku
          ? html`<button type="button" class="over" aria-pressed=${String(over)} @click=${this.#toggleOver}>${text.overPicture}</button>`
          : nothing}
        <slot></slot>
        <button class="send" ?disabled=${board.link === 'denied' || wait > 0}>${wait > 0 ? text.sendIn(wait) : text.send}</button>
      </form>
    `
  }

  #notes(left: number): TemplateResult | typeof nothing {
    const { strings: text, board } = this
    const until = board.you?.mutedUntil ?? 0
    if (until > Date.now()) {
      const time = new Date(until).toLocaleTimeString(undefined, { hour: '2-digit', minute: '2-digit' })
      return html`<p class="failed" role="status">${text.mutedUntil(time)}</p>`
    }
    if (this.#refusal) return html`<p class="failed" role="status">${refused(text, this.#refusal)}</p>`
    return left <= FEW ? html`<p class="left">${text.charactersLeft(left)}</p>` : nothing
  }

  #style(): TemplateResult {
    const { strings: text } = this
    return html`<div class="style">
      <div role="radiogroup" aria-label=${text.bulletColour}>
        ${COLORS.map(
          (color) => html`<button
            role="radio" class="colour" aria-checked=${String(color === this.#color)} aria-label=${color} style="--colour: ${color}" @click=${() => this.#paint(color)}
          ></button>`,
        )}
      </div>
      <div role="radiogroup" aria-label=${text.bulletMode}>
        ${MODES.map(
          (mode) => html`<button role="radio" class="quiet" aria-checked=${String(mode === this.#mode)} @click=${() => this.#move(mode)}>
            ${text.bulletModes[mode]}
          </button>`,
        )}
      </div>
    </div>`
  }

  #refusedWith(refusal: Refusal): void {
    this.#refusal = refusal
    if (WAITS.includes(refusal.why)) this.#waitUntil(Date.now() + refusal.seconds * 1_000)
  }

  #recover(own: Own): void {
    if (this.#draft === '') this.again(own)
  }

  #waitUntil(until: number): void {
    this.#until = Math.max(this.#until, until)
    this.#timer ??= setInterval(() => {
      if (Date.now() >= this.#until) {
        this.#stopTimer()
        this.#refusal = null
      }
      this.requestUpdate()
    }, TICK_MS)
  }

  #stopTimer(): void {
    if (this.#timer !== null) clearInterval(this.#timer)
    this.#timer = null
  }

  readonly #submit = (event: Event): void => {
    event.preventDefault()
    const said = this.#draft.trim()
    if (said === '' || Date.now() < this.#until) return
    const { mode } = this.board.state
    if (this.purpose === 'questions') this.say({ kind: 'ask', text: said })
    else if (this.#over && mode.features.danmaku) this.say({ kind: 'danmaku', text: said, color: this.#color, mode: this.#mode })
    else this.say({ kind: 'chat', text: said, ...(this.#reply ? { replyTo: this.#reply.message } : {}) })
    this.#draft = ''
    this.#reply = null
    this.#refusal = null
    if (mode.slowSeconds > 0 && !moderates(this.board.you?.role ?? 'viewer')) this.#waitUntil(Date.now() + mode.slowSeconds * 1_000)
    // The field was typed into since it was drawn: drawing it empty again would change nothing.
    const field = this.renderRoot.querySelector('input')
    if (field) field.value = ''
    this.requestUpdate()
  }

  readonly #typed = (event: Event): void => {
    this.#draft = (event.target as HTMLInputElement).value
    this.requestUpdate()
  }

  readonly #pressed = (event: KeyboardEvent): void => {
    if (event.key === 'Escape' && this.#reply) this.#cancel()
  }

  readonly #cancel = (): void => {
    this.#reply = null
    this.requestUpdate()
    this.focus()
  }

  readonly #toggleOver = (): void => {
    this.#over = !this.#over
    this.requestUpdate()
  }

  #paint(color: string): void {
    this.#color = color
    remember('danmaku-color', color)
    this.requestUpdate()
  }

  #move(mode: Mode): void {
    this.#mode = mode
    remember('danmaku-mode', mode)
    this.requestUpdate()
  }
}

customElements.define('room-composer', RoomComposer)
