/** The bar of controls. */

import { css, html, LitElement, nothing, type TemplateResult } from 'lit'

import type { Strings } from '../i18n'
import { act } from './action'
import * as icons from './icons'
import { shapes, tokens } from './theme'

/** What the dock shows. */
export interface DockView {
  readonly playing: boolean
  readonly canPlay: boolean
  readonly muted: boolean
  readonly hasAudio: boolean
  readonly volume: number
  /** How far behind live, seconds; `null` where it is live. */
  readonly behind: number | null
  readonly live: boolean
  readonly rendition: string | null
  readonly menuOpen: boolean
  readonly fullscreen: boolean
  readonly canFullscreen: boolean
}

/** `<live-room-dock>` */
export class Dock extends LitElement {
  static override properties = { strings: { attribute: false }, view: { attribute: false } }
  declare strings: Strings
  declare view: DockView

  static override styles = [
    tokens,
    shapes,
    css`
      :host {
        display: block;
      }

      .dock {
        display: flex;
        align-items: center;
        gap: 2px;
        padding: 6px;
        border-radius: 22px;
      }

      .gap {
        flex: 1;
        min-inline-size: 8px;
      }

      .volume {
        display: flex;
        inline-size: 92px;
        padding-inline: 4px 10px;
      }

      .badge {
        display: inline-flex;
        align-items: center;
        gap: 8px;
        block-size: 36px;
        padding-inline: 12px 14px;
        border-radius: 12px;
        font-size: 13px;
        font-weight: 600;
        letter-spacing: 0.02em;
        white-space: nowrap;
        font-variant-numeric: tabular-nums;
        transition: background-color var(--quick);
      }

      .badge::before {
        content: '';
        inline-size: 8px;
        block-size: 8px;
        border-radius: 50%;
        background: var(--soft);
        transition: background-color var(--quick);
      }

      .badge.live::before {
        background: var(--live);
      }

      button.badge:hover {
        background: var(--hover);
      }

      .badge.late {
        color: var(--soft);
      }

      .rendition {
        font-size: 13px;
        font-weight: 500;
        color: var(--soft);
        padding-inline: 6px;
        font-variant-numeric: tabular-nums;
      }

      @container room (max-width: 560px) {
        .volume,
        .rendition {
          display: none;
        }
      }

      @media (hover: none) {
        .volume {
          display: none;
        }
      }
    `,
  ]

  protected override render(): TemplateResult {
    const { strings: text, view } = this
    return html`
      <div class="dock panel" role="toolbar" aria-label=${text.controls}>
        ${this.#button(
          view.playing ? text.pause : text.play,
          view.playing ? icons.pause : icons.play,
          () => act(this, { type: 'play' }),
          { disabled: !view.canPlay, shortcut: 'k' },
        )}
        ${view.hasAudio
          ? html`
              ${this.#button(
                view.muted ? text.unmute : text.mute,
                view.muted || view.volume === 0 ? icons.muted : view.volume < 0.5 ? icons.quiet : icons.sound,
                () => act(this, { type: view.muted ? 'unmute' : 'mute' }),
                { shortcut: 'm' },
              )}
              <span class="volume">
                <input
                  type="range"
                  min="0"
                  max="100"
                  .value=${String(Math.round(view.muted ? 0 : view.volume * 100))}
                  style="--filled: ${view.muted ? 0 : view.volume * 100}%"
                  aria-label=${text.volume}
                  @input=${(event: Event) =>
                    act(this, { type: 'volume', volume: Number((event.target as HTMLInputElement).value) / 100 })}
                />
              </span>
            `
          : nothing}
        ${this.#badge()}
        <span class="gap"></span>
        ${view.rendition ? html`<span class="rendition">${view.rendition}</span>` : nothing}
        ${this.#button(text.settings, icons.settings, () => act(this, { type: 'menu' }), { expanded: view.menuOpen })}
        ${view.canFullscreen
          ? this.#button(
              view.fullscreen ? text.leaveFullscreen : text.fullscreen,
              view.fullscreen ? icons.shrink : icons.enlarge,
              () => act(this, { type: 'fullscreen' }),
              { shortcut: 'f' },
            )
          : nothing}
      </div>
    `
  }

  #badge(): TemplateResult | typeof nothing {
    const { strings: text, view } = this
    if (!view.live) return nothing
    if (view.behind === null) return html`<span class="badge live">${text.live}</span>`
    return html`
      <button class="badge late" @click=${() => act(this, { type: 'jump' })} title="${text.jumpToLive} (l)">
        ${text.behind(view.behind.toFixed(1))}
      </button>
    `
  }

  #button(
    label: string,
    icon: TemplateResult,
    click: () => void,
    { disabled = false, expanded, shortcut }: { disabled?: boolean; expanded?: boolean; shortcut?: string } = {},
  ): TemplateResult {
    return html`
      <button
        class="icon-button"
        aria-label=${label}
        title=${shortcut ? `${label} (${shortcut})` : label}
        aria-expanded=${expanded === undefined ? nothing : String(expanded)}
        aria-keyshortcuts=${shortcut ?? nothing}
        ?disabled=${disabled}
        style=${disabled ? 'opacity: 0.35; cursor: default' : nothing}
        @click=${click}
      >
        ${icon}
      </button>
    `
  }
}

customElements.define('live-room-dock', Dock)
