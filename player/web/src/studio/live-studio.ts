/** `<live-studio>`: the room as its host and moderators see and run it, beside the picture or on a second device. */

import { html, LitElement, nothing, type PropertyValues, type TemplateResult } from 'lit'

import type { Endpoint } from '../client'
import { LiveRoom } from '../element/live-room'
import { recall, remember } from '../element/storage'
import { shapes, tokens } from '../element/theme'
import { choose, LANGUAGES, type Language } from '../i18n'
import { studioStrings, type StudioStrings } from '../i18n/studio'
import { isRoom } from '../naming'
import type { State } from '../messages'
import { BLANK, type Board } from '../room/board'
import type { Refusal, Say } from '../room/say'
import { summary } from './announce'
import './chat'
import './entrance'
import { faultOf, keep, kept, type Fault } from './key'
import './keys'
import type { StudioKeys } from './keys'
import './people'
import './polls'
import './products'
import './questions'
import { refusedWords } from './refused'
import { isForRow } from './rows'
import './rules'
import { studioStyles } from './studio-styles'

const SECTIONS = ['chat', 'questions', 'polls', 'products', 'rules', 'people'] as const
type Section = (typeof SECTIONS)[number]
/** What stands where: on a wide screen below the picture and beside the chat, else all in one place. */
const WORK: readonly Section[] = ['questions', 'polls', 'products']
const ORDER: readonly Section[] = ['people', 'rules']

/** Wide enough for the chat to stand beside the other sections. */
const WIDE = '(min-width: 980px)'
/** For how long a refusal is shown. */
const REFUSAL_MS = 8_000
/** How often numbers are drawn, and moderators are told of what waits. */
const TICK_MS = 1_000

/** The studio of a room. */
export class LiveStudio extends LitElement {
  static override properties = { room: { attribute: false }, token: { attribute: false }, locate: { attribute: false } }
  declare room: string | null
  /** The token that the page's address brought. */
  declare token: string | null
  /** Finds the relay. */
  declare locate: () => Promise<Endpoint>
  static override styles = [tokens, shapes, studioStyles]

  #language: Language = choose([recall('language') ?? '', ...navigator.languages].filter((wish) => wish !== ''))
  /** What is open, the last first. */
  #open: readonly Section[] = ['chat']
  #board: Board = BLANK
  #fault: Fault | null = null
  #refused: { readonly refusal: Refusal; readonly at: number } | null = null
  #live: LiveRoom | null = null
  #told = ''
  readonly #wide = matchMedia(WIDE)
  #timer: ReturnType<typeof setInterval> | null = null

  /** The room as it is known now. */
  get board(): Board {
    return this.#board
  }

  override connectedCallback(): void {
    super.connectedCallback()
    this.#wide.addEventListener('change', this.#redraw)
    window.addEventListener('keydown', this.#pressed)
    this.#timer = setInterval(() => this.#tick(), TICK_MS)
  }

  override disconnectedCallback(): void {
    super.disconnectedCallback()
    this.#wide.removeEventListener('change', this.#redraw)
    window.removeEventListener('keydown', this.#pressed)
    if (this.#timer !== null) clearInterval(this.#timer)
  }

  protected override willUpdate(changed: PropertyValues<this>): void {
    if (changed.has('room') || changed.has('token')) this.#enter()
  }

  protected override render(): TemplateResult {
    const text = studioStrings(this.#language)
    document.documentElement.lang = this.#language
    if (this.room === null || !isRoom(this.room)) return html`<main class="alone"><h1>${text.noRoom}</h1><p>${text.noRoomMore}</p></main>`
    document.title = text.title(this.room)
    return html`
      <div class="studio" lang=${this.#language} @live-room-say=${({ detail }: CustomEvent<Say>) => this.#live?.say(detail)}>
        ${this.#header(text, this.room)}
        ${this.#live === null
          ? html`<studio-entrance
              class="whole" .language=${this.#language} .board=${this.#board} .room=${this.room} .fault=${this.#fault} @studio-enter=${this.#entered}
            ></studio-entrance>`
          : html`
              <div class="picture">${this.#live}</div>
              ${this.#wide.matches
                ? html`${this.#place(text, 'order', ORDER)}
                    <section class="chat" aria-label=${text.chat}>${this.#part('chat')}</section>
                    ${this.#place(text, 'work', WORK)}`
                : this.#place(text, 'work', SECTIONS)}
            `}
        <p class="unseen" role="status" aria-live="polite">${this.#told}</p>
        <studio-keys .language=${this.#language} .board=${this.#board}></studio-keys>
      </div>
    `
  }

  #header(text: StudioStrings, room: string): TemplateResult {
    const { state, tally } = this.#board
    const numbers = this.#live?.statistics
    const likes = Object.values(tally.totals).reduce((all, some) => all + some, 0)
    const latency = numbers?.latencyMs?.p50 ?? null
    return html`<header>
      <h1>${room}<small>${text.studio}</small></h1>
      ${this.#live === null
        ? nothing
        : html`<dl>
            ${figure(text.watching, state.presence.watching)} ${figure(text.present, state.presence.present)} ${figure(text.likes, likes)}
            ${figure(text.latency, latency === null ? '–' : `${latency.toFixed(0)} ms`)} ${figure(text.dropped, numbers?.framesDropped ?? 0)}
          </dl>`}
      <a href="/${room}" target="_blank" rel="noopener">${text.viewerPage}</a>
      <button class="act" @click=${this.#showKeys}>${text.keys}</button>
      <select aria-label="Language · 语言" @change=${this.#speak}>
        ${LANGUAGES.map(({ language, name }) => html`<option value=${language} ?selected=${language === this.#language}>${name}</option>`)}
      </select>
      ${this.#live === null ? nothing : html`<button class="act" @click=${() => this.#forget(null)}>${text.leave}</button>`}
    </header>`
  }

  /** Several sections in one place, one of them open. */
  #place(text: StudioStrings, place: 'work' | 'order', sections: readonly Section[]): TemplateResult {
    const open = this.#open.find((section) => sections.includes(section)) ?? sections[0] ?? 'chat'
    return html`<section class=${place} aria-label=${sections.map((section) => text[section]).join(', ')}>
      <nav role="tablist" aria-label=${text.sections} @keydown=${this.#turnByKey}>${sections.map((one) => this.#tab(text, one, one === open))}</nav>
      ${place === 'work' ? this.#status(text) : nothing} ${this.#part(open)}
    </section>`
  }

  #tab(text: StudioStrings, section: Section, isOpen: boolean): TemplateResult {
    const { desk, state } = this.#board
    const counts: Partial<Record<Section, number>> = {
      chat: desk?.waiting.length ?? 0,
      questions: desk?.questions.filter(({ stage }) => stage === 'asked').length ?? 0,
      people: state.hands.length,
    }
    const count = counts[section] ?? 0
    return html`<button
      role="tab" id="tab-${section}" tabindex=${isOpen ? 0 : -1} aria-selected=${String(isOpen)} @click=${() => this.#turn(section)}
    >
      ${text[section]}${count > 0 ? html`<b class="count">${count}</b>` : nothing}
    </button>`
  }

  #part(section: Section): TemplateResult {
    const [language, board] = [this.#language, this.#board]
    switch (section) {
      case 'chat':
        return html`<studio-chat .language=${language} .board=${board}></studio-chat>`
      case 'questions':
        return html`<studio-questions .language=${language} .board=${board}></studio-questions>`
      case 'polls':
        return html`<studio-polls .language=${language} .board=${board}></studio-polls>`
      case 'products':
        return html`<studio-products .language=${language} .board=${board}></studio-products>`
      case 'rules':
        return html`<studio-rules .language=${language} .board=${board}></studio-rules>`
      case 'people':
        return html`<studio-people .language=${language} .board=${board}></studio-people>`
    }
  }

  #status(text: StudioStrings): TemplateResult | typeof nothing {
    if (this.#refused) return html`<p class="note failed" role="alert">${refusedWords(this.#language, this.#refused.refusal)}</p>`
    if (this.#board.link === 'lost') return html`<p class="note" role="status">${text.lost}</p>`
    if (this.#board.link === 'joining') return html`<p class="note" role="status">${text.joining}</p>`
    return nothing
  }

  /** Looks at the token and goes in with it. */
  #enter(): void {
    const { room } = this
    if (room === null || !isRoom(room)) return
    const token = this.token ?? kept(room)
    if (token === null) return
    this.#fault = faultOf(token, room, Date.now())
    keep(room, this.#fault === null ? token : null)
    if (this.#fault === null) this.#begin(room, token)
  }

  #begin(room: string, token: string): void {
    const live = new LiveRoom()
    live.room = room
    live.token = token
    live.locate = this.locate
    live.alone = true
    live.muted = true
    live.addEventListener('boardchange', this.#changed as EventListener)
    live.addEventListener('statechange', this.#stateChanged as EventListener)
    this.#live = live
  }

  /** Leaves the studio, and forgets how to come in. */
  #forget(fault: Fault | null): void {
    if (this.room !== null) keep(this.room, null)
    this.#live?.removeEventListener('boardchange', this.#changed as EventListener)
    this.#live = null
    this.#board = BLANK
    this.#fault = fault
    this.requestUpdate()
  }

  readonly #entered = ({ detail: token }: CustomEvent<string>): void => {
    if (this.room === null) return
    keep(this.room, token)
    this.#begin(this.room, token)
    this.requestUpdate()
  }

  readonly #changed = ({ detail: board }: CustomEvent<Board>): void => {
    const last = board.refusal ?? board.own.findLast(({ refusal }) => refusal !== null)?.refusal ?? null
    if (last !== null && last !== this.#refused?.refusal && board.refusal !== this.#board.refusal) this.#refused = { refusal: last, at: Date.now() }
    this.#board = board
    this.requestUpdate()
  }

  readonly #stateChanged = ({ detail: state }: CustomEvent<State>): void => {
    if (state === 'not-allowed') this.#forget({ why: 'refused' })
  }

  #tick(): void {
    if (this.#refused && Date.now() - this.#refused.at > REFUSAL_MS) this.#refused = null
    this.#told = summary(studioStrings(this.#language), this.#board)
    this.requestUpdate()
  }

  #turn(section: Section): void {
    this.#open = [section, ...this.#open.filter((open) => open !== section)]
    this.requestUpdate()
  }

  readonly #turnByKey = (event: KeyboardEvent): void => {
    const tabs = [...(event.currentTarget as HTMLElement).querySelectorAll<HTMLElement>('[role=tab]')]
    const at = tabs.findIndex((tab) => tab === this.shadowRoot?.activeElement)
    const by = { ArrowRight: 1, ArrowLeft: -1 }[event.key]
    const next = by === undefined || at < 0 ? undefined : tabs.at((at + by) % tabs.length)
    if (!next) return
    event.preventDefault()
    next.click()
    next.focus()
  }

  readonly #pressed = (event: KeyboardEvent): void => {
    if (event.key === '?' && isForRow(event)) this.#showKeys()
  }

  readonly #showKeys = (): void => this.renderRoot.querySelector<StudioKeys>('studio-keys')?.open()

  readonly #speak = ({ target }: Event): void => {
    this.#language = choose([(target as HTMLSelectElement).value])
    remember('language', this.#language)
    this.requestUpdate()
  }

  readonly #redraw = (): void => this.requestUpdate()
}

function figure(words: string, value: number | string): TemplateResult {
  return html`<div><dt>${words}</dt><dd>${value}</dd></div>`
}

customElements.define('live-studio', LiveStudio)

declare global {
  interface HTMLElementTagNameMap {
    'live-studio': LiveStudio
  }
  interface Window {
    liveStudio?: LiveStudio
  }
}
