/** Settings: quality, latency, language, statistics, keys. */

import { css, html, LitElement, type TemplateResult } from 'lit'

import { LANGUAGES, type Language, type Strings } from '../i18n'
import type { Rendition } from '../messages'
import type { Settings } from '../danmaku/settings'
import { act } from './action'
import './danmaku-menu'
import * as icons from './icons'
import { shapes, tokens } from './theme'

/** Latencies that the slider offers, milliseconds. */
export const LATENCIES = [50, 100, 150, 200, 300, 500, 750, 1_000, 1_500, 2_000, 3_000] as const

/** What the menu shows. */
export interface MenuView {
  readonly renditions: readonly Rendition[]
  readonly rendition: string | null
  readonly quality: string
  /** The viewer's own choice, milliseconds; `null` for the streamer's. */
  readonly latency: number | null
  /** Present target, milliseconds. */
  readonly target: number | null
  readonly language: Language
  readonly statistics: boolean
  /** How bullets are wanted; `null` where there are none. */
  readonly danmaku: Settings | null
}

/** `<live-room-menu>` */
export class Menu extends LitElement {
  static override properties = { strings: { attribute: false }, view: { attribute: false } }
  declare strings: Strings
  declare view: MenuView

  static override styles = [
    tokens,
    shapes,
    css`
      :host {
        display: block;
      }

      .menu {
        inline-size: 100%;
        max-block-size: inherit;
        overflow-y: auto;
        padding: 8px;
        font-size: 14px;
        background: var(--raised);
      }

      section + section {
        border-block-start: 1px solid var(--line);
        margin-block-start: 6px;
        padding-block-start: 6px;
      }

      h2 {
        margin: 0;
        padding: 8px 12px 4px;
        font-size: 12px;
        font-weight: 500;
        color: var(--soft);
      }

      .row {
        display: flex;
        align-items: center;
        inline-size: 100%;
        min-block-size: 40px;
        padding-inline: 12px;
        gap: 10px;
        border-radius: 12px;
        text-align: start;
        transition: background-color var(--quick);
      }

      .row:hover {
        background: var(--hover);
      }

      .row small {
        margin-inline-start: auto;
        color: var(--soft);
        font-size: 12px;
        font-variant-numeric: tabular-nums;
      }

      .row svg {
        inline-size: 18px;
        block-size: 18px;
        visibility: hidden;
        flex: none;
      }

      .row[aria-checked='true'] svg {
        visibility: visible;
      }

      .latency {
        padding: 0 12px 8px;
      }

      .latency header {
        display: flex;
        justify-content: space-between;
        font-variant-numeric: tabular-nums;
        padding-block: 2px;
      }

      .latency header button {
        color: var(--accent);
        border-radius: 6px;
        font-size: 13px;
      }

      .latency footer {
        display: flex;
        justify-content: space-between;
        color: var(--soft);
        font-size: 12px;
      }

      .latency p {
        margin: 6px 0 0;
        color: var(--soft);
        font-size: 12px;
        line-height: 1.5;
      }

      /* Who has no keyboard needs no keys. */
      @media (hover: none) {
        .keys,
        .row small.key {
          display: none;
        }
      }

      .languages {
        display: flex;
        gap: 6px;
        padding: 4px 12px 8px;
      }

      .languages button {
        flex: 1;
        min-block-size: 36px;
        border-radius: 12px;
        border: 1px solid var(--line);
      }

      .languages button[aria-pressed='true'] {
        background: var(--ink);
        color: var(--raised);
        border-color: transparent;
      }
    `,
  ]

  /** Puts the keyboard's focus into the menu. */
  enter(): void {
    this.renderRoot.querySelector<HTMLElement>('[aria-checked="true"], button')?.focus()
  }

  protected override render(): TemplateResult {
    const { strings: text, view } = this
    return html`
      <div class="menu panel" role="dialog" aria-label=${text.settings}>
        ${this.#quality()}
        <section>
          <h2>${text.latency}</h2>
          ${this.#latency()}
        </section>
        ${view.danmaku ? html`<section><danmaku-menu .strings=${text} .settings=${view.danmaku}></danmaku-menu></section>` : ''}
        <section>
          <h2>${text.language}</h2>
          <div class="languages">
            ${LANGUAGES.map(
              ({ language, name }) => html`
                <button
                  lang=${language}
                  aria-pressed=${String(language === view.language)}
                  @click=${() => act(this, { type: 'language', language })}
                >
                  ${name}
                </button>
              `,
            )}
          </div>
        </section>
        <section>
          <button
            class="row"
            role="menuitemcheckbox"
            aria-checked=${String(view.statistics)}
            @click=${() => act(this, { type: 'statistics' })}
          >
            ${icons.check} ${text.statistics} <small class="key">s</small>
          </button>
          <button class="row keys" @click=${() => act(this, { type: 'help' })}>
            ${icons.check} ${text.shortcuts} <small>?</small>
          </button>
        </section>
      </div>
    `
  }

  #quality(): TemplateResult | string {
    const { strings: text, view } = this
    if (view.renditions.length === 0) return ''
    const playing = view.renditions.find(({ name }) => name === view.rendition)?.label
    const automatic = view.quality === 'auto' && playing ? text.automaticNow(playing) : text.automatic
    const sorted = [...view.renditions].sort((a, b) => b.bitrate - a.bitrate)
    const chosen = ({ name, label }: Rendition): boolean => view.quality === name || view.quality === label
    return html`
      <section role="radiogroup" aria-label=${text.quality}>
        <h2>${text.quality}</h2>
        ${this.#choice('auto', automatic, view.quality === 'auto', '')}
        ${sorted.map((rendition) => {
          const rate = `${(rendition.bitrate / 1e6).toFixed(rendition.bitrate < 1e6 ? 2 : 1)} Mbit/s`
          return this.#choice(rendition.name, rendition.label, chosen(rendition), rendition.bitrate > 0 ? rate : '')
        })}
      </section>
    `
  }

  #choice(quality: string, label: string, checked: boolean, note: string): TemplateResult {
    return html`
      <button
        class="row"
        role="radio"
        aria-checked=${String(checked)}
        @click=${() => act(this, { type: 'quality', quality })}
      >
        ${icons.check} ${label} <small>${note}</small>
      </button>
    `
  }

  #latency(): TemplateResult {
    const { strings: text, view } = this
    const value = view.latency ?? view.target ?? LATENCIES[1]
    const index = LATENCIES.reduce(
      (best, latency, at) => (Math.abs(latency - value) < Math.abs((LATENCIES[best] ?? 0) - value) ? at : best),
      0,
    )
    const present = view.target === null ? '' : seconds(Math.round(view.target / 10) * 10)
    const shown = view.latency === null ? text.latencyAutomatic(present) : seconds(view.latency)
    return html`
      <div class="latency">
        <header>
          <span>${shown}</span>
          ${view.latency === null
            ? ''
            : html`<button @click=${() => act(this, { type: 'latency', latency: null })}>${text.automatic}</button>`}
        </header>
        <input
          type="range"
          min="0"
          max=${LATENCIES.length - 1}
          step="1"
          .value=${String(index)}
          style="--filled: ${(index / (LATENCIES.length - 1)) * 100}%"
          aria-label=${text.latency}
          aria-valuetext=${shown}
          @input=${(event: Event) => {
            const latency = LATENCIES[Number((event.target as HTMLInputElement).value)]
            if (latency !== undefined) act(this, { type: 'latency', latency })
          }}
        />
        <footer><span>${text.lowest}</span><span>${text.steadiest}</span></footer>
        <p>${text.latencyHint}</p>
      </div>
    `
  }
}

function seconds(milliseconds: number): string {
  return milliseconds < 1_000 ? `${milliseconds} ms` : `${(milliseconds / 1_000).toFixed(1)} s`
}

customElements.define('live-room-menu', Menu)
