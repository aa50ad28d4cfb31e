/** `<live-room>`: the viewer as one element, for the relay's page or a streamer's own. */

import { html, LitElement, nothing, type PropertyValues, type TemplateResult } from 'lit'

import { Client, type Admission, type Endpoint } from '../client'
import { now } from '../clock'
import { Bullets } from '../danmaku/bullets'
import { choose, strings, type Language, type Strings } from '../i18n'
import type { State } from '../messages'
import { isRoom } from '../naming'
import type { Board } from '../room/board'
import { anybody, bearer } from '../room/door'
import type { Reaction } from '../room/reactions'
import type { Say } from '../room/say'
import type { News } from '../room/seat'
import { NOTHING, type Statistics } from '../statistics'
import { act, type Action } from './action'
import { title } from './card'
import './dock'
import './help'
import type { Help } from './help'
import * as icons from './icons'
import { keyAction } from './keys'
import './menu'
import type { Menu } from './menu'
import { Participation } from './participation'
import './readings'
import './room-overlay'
import type { RoomOverlay } from './room-overlay'
import './room-panel'
import { stageStyles } from './stage'
import { remember, recall } from './storage'
import { shapes, tokens } from './theme'

const BEHIND_MS = 700
const IDLE_MS = 3_000

/**
 * Plays a room.
 *
 * Attributes: `relay` (URL), `room`, `cert-hash` (hex), `token`, `lang`, `latency` (milliseconds),
 * `muted`, `whole`, `alone`. Property `locate` finds the relay instead of `relay` and `cert-hash`.
 * @fires statechange - the state changed; `detail` is the new one.
 * @fires boardchange - what is known of the room changed; `detail` is the board.
 */
export class LiveRoom extends LitElement {
  static override properties = {
    relay: { type: String },
    room: { type: String },
    certHash: { type: String, attribute: 'cert-hash' },
    token: { type: String },
    latency: { type: Number },
    muted: { type: Boolean },
    locate: { attribute: false },
    admit: { attribute: false },
    whole: { type: Boolean },
    alone: { type: Boolean },
  }
  declare relay: string | null
  declare room: string | null
  declare certHash: string | null
  declare token: string | null
  /** The viewer's wanted latency in milliseconds; `null` for the streamer's. */
  declare latency: number | null
  declare muted: boolean
  /** Finds the relay; asked before every attempt to connect. */
  declare locate: (() => Promise<Endpoint>) | null
  /** Lets the viewer into the room where it has no token. */
  declare admit: (() => Promise<Admission>) | null
  /** Whether it is the whole page, and so takes keys that are pressed anywhere. */
  declare whole: boolean
  /** Whether the picture stands without the panel beside it: another element shows the board. */
  declare alone: boolean

  static override styles = [tokens, shapes, stageStyles]

  #client: Client | null = null
  readonly #part = new Participation(
    this,
    (say) => this.#client?.say(say),
    (board) => this.dispatchEvent(new CustomEvent<Board>('boardchange', { detail: board })),
  )
  readonly #bullets = new Bullets(() => this.renderRoot.querySelector('.danmaku'))
  #quality = 'auto'
  #volume = Number(recall('volume') ?? 1)
  #language: Language | null = LiveRoom.#recalledLanguage()
  #soundTouched = false
  #panel: 'none' | 'menu' | 'help' = 'none'
  #readings = false
  #idle = false
  #idleTimer: ReturnType<typeof setTimeout> | null = null
  #reported: State | null = null
  #resized: ResizeObserver | null = null

  constructor() {
    super()
    this.relay = null
    this.room = null
    this.certHash = null
    this.token = null
    this.latency = recall('latency') === null ? null : Number(recall('latency'))
    this.muted = false
    this.locate = null
    this.admit = null
    this.whole = false
    this.alone = false
  }

  /** The numbers of playback, as they are now. */
  get statistics(): Statistics {
    const view = this.#client?.view
    const state = view?.state ?? 'connecting'
    const { statistics } = this.#client ?? {}
    const label = view?.renditions.find(({ name }) => name === view.rendition)?.label
    return { ...(statistics ?? NOTHING), state, rendition: label ?? statistics?.rendition ?? null }
  }

  /** `auto`, or the name or label of a rendition. */
  get quality(): string {
    return this.#quality
  }

  set quality(quality: string) {
    this.#quality = quality
    this.#client?.send({ type: 'quality', quality })
    this.requestUpdate()
  }

  /**
   * Reads the time that the test pattern burns into its pictures from the pixels on the canvas.
   * @returns microseconds since the Unix epoch; `null` where there is none.
   */
  readTimecode(): Promise<number | null> {
    return this.#client?.readTimecode() ?? Promise.resolve(null)
  }

  /** The room as it is known now. */
  get board(): Board {
    return this.#part.board
  }

  /** Says something in the room; what became of it is on the board. */
  say(say: Say): void {
    this.#part.say(say)
  }

  override connectedCallback(): void {
    super.connectedCallback()
    document.addEventListener('visibilitychange', this.#visibility)
    document.addEventListener('fullscreenchange', this.#redraw)
    window.addEventListener('keydown', this.#key)
    window.addEventListener('languagechange', this.#redraw)
    this.addEventListener('live-room-action', this.#action as EventListener)
    if (this.hasUpdated) this.#enter()
  }

  override disconnectedCallback(): void {
    super.disconnectedCallback()
    document.removeEventListener('visibilitychange', this.#visibility)
    document.removeEventListener('fullscreenchange', this.#redraw)
    window.removeEventListener('keydown', this.#key)
    window.removeEventListener('languagechange', this.#redraw)
    this.removeEventListener('live-room-action', this.#action as EventListener)
    this.#resized?.disconnect()
    this.#client?.close()
    this.#client = null
  }

  static override get observedAttributes(): string[] {
    return [...super.observedAttributes, 'lang']
  }

  override attributeChangedCallback(name: string, before: string | null, after: string | null): void {
    if (name === 'lang') this.requestUpdate()
    else super.attributeChangedCallback(name, before, after)
  }

  protected override updated(changed: PropertyValues<this>): void {
    const where: readonly (keyof LiveRoom)[] = ['relay', 'room', 'certHash', 'token', 'locate']
    if (where.some((name) => changed.has(name))) this.#enter()
    if (changed.has('latency')) this.#client?.send({ type: 'latency', target: this.latency })
    if (changed.has('muted')) this.#client?.setVolume(this.#volume, this.muted)
  }

  protected override render(): TemplateResult {
    const text = strings(this.#speaks)
    const view = this.#client?.view
    const state = this.#cardState
    const picture = Boolean(view?.hasPicture)
    const playing = state === 'live' || state === 'buffering'
    const veiled = state !== 'live'
    return html`
      <div
        class="room ${this.#isSocial ? 'social' : ''} ${picture ? 'lit' : ''} ${this.#readings ? 'reading' : ''} ${this.#idle && state === 'live' && this.#panel === 'none' ? 'idle' : ''}"
        lang=${this.#speaks}
        tabindex="-1"
        data-state=${state}
        style="--aspect: ${view?.aspect ?? 16 / 9}"
        @pointermove=${this.#stir}
        @pointerdown=${this.#pointed}
        @focusin=${this.#stir}
      >
        <canvas class="ambient" width="5" height="3" aria-hidden="true"></canvas>
        <header class="top"><span class="name">${this.room ?? ''}</span></header>
        <div class="frame">
          ${this.#picture(text, picture)}
          <canvas class="danmaku" aria-hidden="true"></canvas>
          ${picture ? html`<live-room-overlay class="overlay" .strings=${text} .board=${this.board}></live-room-overlay>` : nothing}
          <div class="veil ${veiled ? 'on' : ''} ${picture ? 'over' : ''}">
            ${veiled
              ? html`<live-room-card
                  .strings=${text}
                  .view=${{ state, detail: view?.detail ?? null, retryIn: this.#retryIn, interrupted: picture }}
                ></live-room-card>`
              : nothing}
          </div>
          ${this.#tap(text, playing)}
          ${this.#readings
            ? html`<live-room-readings
                class="readings"
                .strings=${text}
                .statistics=${this.statistics}
              ></live-room-readings>`
            : nothing}
        </div>
        ${this.#panel === 'help'
          ? html`<div class="modal" @click=${this.#closePanelOutside}>
              <live-room-help .strings=${text}></live-room-help>
            </div>`
          : nothing}
        <div class="bottom">
          ${this.#panel === 'menu' ? this.#menu(text) : nothing} ${this.#dock(text, playing, picture)}
        </div>
        ${this.#isSocial
          ? html`<live-room-panel
              class="side"
              .strings=${text}
              .board=${this.board}
              @live-room-say=${({ detail }: CustomEvent<Say>) => this.say(detail)}
              @live-room-tap=${({ detail }: CustomEvent<Reaction>) => this.#tapped(detail)}
              @live-room-take-back=${({ detail }: CustomEvent<number>) => this.#part.takeBack(detail)}
            ></live-room-panel>`
          : nothing}
        <p class="announce" role="status" aria-live="polite">${title(text, state, picture)}</p>
      </div>
    `
  }

  #picture(text: Strings, shown: boolean): TemplateResult {
    return html`<canvas
      class="picture ${shown ? 'shown' : ''}"
      width="16"
      height="9"
      role="img"
      aria-label=${text.player(this.room ?? '')}
      @dblclick=${() => act(this, { type: 'fullscreen' })}
    ></canvas>`
  }

  #tap(text: Strings, playing: boolean): TemplateResult | typeof nothing {
    const view = this.#client?.view
    const silent = this.muted || !view?.audible
    if (this.alone || !playing || !view?.hasAudio || !silent || this.#soundTouched || this.#panel === 'menu') return nothing
    return html`<button class="tap panel" @click=${() => act(this, { type: 'unmute' })}>
      ${icons.muted} ${text.tapToUnmute}
    </button>`
  }

  #menu(text: Strings): TemplateResult {
    const view = this.#client?.view
    return html`<live-room-menu
      .strings=${text}
      .view=${{
        renditions: view?.renditions ?? [],
        rendition: view?.rendition ?? null,
        quality: this.#quality,
        latency: this.latency,
        target: this.#client?.statistics.targetMs ?? null,
        language: this.#speaks,
        statistics: this.#readings,
        danmaku: this.#isSocial ? this.#bullets.settings : null,
      }}
    ></live-room-menu>`
  }

  #dock(text: Strings, playing: boolean, picture: boolean): TemplateResult {
    const view = this.#client?.view
    const behind = this.#client?.statistics.behindMs ?? 0
    return html`<live-room-dock
      .strings=${text}
      .view=${{
        playing,
        canPlay: playing || view?.state === 'paused',
        muted: this.muted || !view?.audible,
        hasAudio: view?.hasAudio ?? false,
        volume: this.#volume,
        live: this.#cardState === 'live' && (picture || view?.renditions.length === 0),
        behind: behind > BEHIND_MS ? behind / 1_000 : null,
        rendition: playing ? this.statistics.rendition : null,
        menuOpen: this.#panel === 'menu',
        fullscreen: document.fullscreenElement === this,
        canFullscreen: document.fullscreenEnabled,
      }}
    ></live-room-dock>`
  }

  get #isSocial(): boolean {
    return !this.alone && (this.board.you !== null || this.board.link === 'denied')
  }

  get #cardState(): State | 'no-room' {
    if (this.room === null || !isRoom(this.room)) return 'no-room'
    return this.#client?.view.state ?? 'connecting'
  }

  get #retryIn(): number | null {
    const at = this.#client?.view.retryAt ?? null
    return at === null ? null : Math.max(Math.ceil((at - now()) / 1_000), 1)
  }

  get #speaks(): Language {
    if (this.#language) return this.#language
    const own = this.getAttribute('lang')
    return choose(own ? [own] : navigator.languages)
  }

  #enter(): void {
    const { room, relay, certHash, token } = this
    const canvas = this.renderRoot.querySelector<HTMLCanvasElement>('.picture')
    const locate = this.locate ?? (relay === null ? null : () => Promise.resolve({ relay, certHash }))
    if (!canvas || room === null || !isRoom(room) || locate === null) return
    const startedAt = document.readyState === 'complete' ? now() : now() - performance.now()
    if (!this.#client) {
      this.#client = new Client(canvas, () => this.#changed(), (colours) => this.#shine(colours), (news) => this.#heard(news))
      this.#resized = new ResizeObserver(() => this.#measure())
      this.#resized.observe(canvas)
    }
    const client = this.#client
    const admit = async (): Promise<Admission> => (token !== null ? bearer(token) : ((await this.admit?.()) ?? anybody()))
    client.enter({ room, admit, locate }, startedAt)
    client.setVolume(this.#volume, this.muted)
    client.send({ type: 'quality', quality: this.#quality })
    client.send({ type: 'latency', target: this.latency })
    this.#visibility()
    this.#measure()
  }

  #heard(news: News): void {
    this.#part.hear(news)
    if (news.kind === 'bullet') this.#bullets.show(news.bullet, news.bullet.viewer === this.board.you?.viewer ? 'own' : 'other')
    else if (news.kind === 'gone') this.#bullets.remove(news)
  }

  #tapped(reaction: Reaction): void {
    this.#part.tap(reaction)
    this.renderRoot.querySelector<RoomOverlay>('live-room-overlay')?.tapped(reaction)
  }

  #changed(): void {
    const state = this.#client?.view.state ?? null
    this.requestUpdate()
    if (state === null || state === this.#reported) return
    this.#reported = state
    this.dispatchEvent(new CustomEvent<State>('statechange', { detail: state, bubbles: true, composed: true }))
    if (state === 'live') this.#stir()
  }

  #measure(): void {
    const canvas = this.renderRoot.querySelector('.picture')
    if (!canvas) return
    const { width, height } = canvas.getBoundingClientRect()
    const scale = window.devicePixelRatio
    this.#client?.send({ type: 'viewport', width: width * scale, height: height * scale })
  }

  readonly #visibility = (): void => {
    this.#client?.send({ type: 'visible', visible: document.visibilityState === 'visible' })
  }

  readonly #redraw = (): void => this.requestUpdate()

  readonly #action = ({ detail: action }: CustomEvent<Action>): void => {
    switch (action.type) {
      case 'play':
        this.#client?.send({ type: 'paused', paused: this.#client.view.state !== 'paused' })
        break
      case 'mute':
        this.muted = true
        this.#soundTouched = true
        break
      case 'unmute':
        void this.#unmute()
        break
      case 'volume':
        this.#volume = Math.min(Math.max(action.volume, 0), 1)
        remember('volume', String(this.#volume))
        void this.#unmute()
        break
      case 'fullscreen':
        if (document.fullscreenElement === this) void document.exitFullscreen()
        else if (document.fullscreenEnabled) void this.requestFullscreen()
        break
      case 'jump':
        this.#client?.send({ type: 'jump' })
        break
      case 'quality':
        this.quality = action.quality
        break
      case 'latency':
        this.latency = action.latency
        remember('latency', action.latency === null ? null : String(action.latency))
        break
      case 'language':
        this.#language = choose([action.language])
        remember('language', this.#language)
        break
      case 'statistics':
        this.#readings = !this.#readings
        break
      case 'danmaku':
        this.#bullets.want(action.change === 'toggle' ? { isOn: !this.#bullets.settings.isOn } : action.change)
        break
      case 'menu':
        void this.#open(this.#panel === 'menu' ? 'none' : 'menu')
        break
      case 'help':
        void this.#open(this.#panel === 'help' ? 'none' : 'help')
        break
      case 'retry':
        this.#client?.retryNow()
        break
    }
    this.requestUpdate()
  }

  async #unmute(): Promise<void> {
    this.muted = false
    this.#client?.setVolume(this.#volume, false)
    await this.#client?.resumeAudio()
    this.#soundTouched = true
    this.requestUpdate()
  }

  async #open(panel: 'none' | 'menu' | 'help'): Promise<void> {
    this.#panel = panel
    this.requestUpdate()
    await this.updateComplete
    const opened = this.renderRoot.querySelector<Menu | Help>('live-room-menu, live-room-help')
    await opened?.updateComplete
    opened?.enter()
  }

  readonly #closePanelOutside = (event: Event): void => {
    if (event.target === event.currentTarget) void this.#open('none')
  }

  readonly #key = (event: KeyboardEvent): void => {
    const [target] = event.composedPath()
    const unfocused = target === document.body || target === document.documentElement
    if (!event.composedPath().includes(this) && !(this.whole && unfocused)) return
    if (event.key === 'Escape' && this.#panel !== 'none') {
      void this.#open('none')
      event.preventDefault()
      return
    }
    const silent = this.muted || !this.#client?.view.audible
    const action = keyAction(event, { volume: this.#volume, silent })
    if (!action) return
    event.preventDefault()
    this.#stir()
    act(this, action)
  }

  readonly #pointed = (event: Event): void => {
    this.#stir()
    const inside = event.composedPath().some((target) => target instanceof Element && target.matches('.bottom'))
    if (this.#panel === 'menu' && !inside) void this.#open('none')
  }

  readonly #stir = (): void => {
    if (this.#idleTimer !== null) clearTimeout(this.#idleTimer)
    this.#idleTimer = setTimeout(() => {
      this.#idle = true
      this.requestUpdate()
    }, IDLE_MS)
    if (this.#idle) {
      this.#idle = false
      this.requestUpdate()
    }
  }

  /** Lets the picture's colours shine into the room around it. */
  #shine(colours: ImageBitmap): void {
    const ambient = this.renderRoot.querySelector<HTMLCanvasElement>('.ambient')
    ambient?.getContext('2d')?.drawImage(colours, 0, 0, ambient.width, ambient.height)
    ambient?.classList.add('lit')
    colours.close()
  }

  static #recalledLanguage(): Language | null {
    const language = recall('language')
    return language === 'en' || language === 'zh-CN' ? language : null
  }
}

customElements.define('live-room', LiveRoom)

declare global {
  interface HTMLElementTagNameMap {
    'live-room': LiveRoom
  }
  interface Window {
    liveRoom?: LiveRoom
  }
}
