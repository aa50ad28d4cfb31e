/** What the viewer is told when there is no picture: one sentence of what is, one of what to do. */

import { css, html, LitElement, nothing, type TemplateResult } from 'lit'

import type { Strings } from '../i18n'
import type { State } from '../messages'
import { BROWSERS } from '../support'
import { act } from './action'
import * as icons from './icons'
import { shapes, tokens } from './theme'

/** What the card tells. */
export interface CardView {
  readonly state: State | 'no-room'
  readonly detail: string | null
  /** Whole seconds to the next attempt. */
  readonly retryIn: number | null
  /** Whether there was a picture before. */
  readonly interrupted: boolean
}

interface Message {
  readonly icon: TemplateResult | null
  readonly more: readonly string[]
}

/** `<live-room-card>` */
export class Card extends LitElement {
  static override properties = { strings: { attribute: false }, view: { attribute: false } }
  declare strings: Strings
  declare view: CardView

  static override styles = [
    tokens,
    shapes,
    css`
      :host {
        display: block;
      }

      .card {
        display: grid;
        justify-items: center;
        gap: 8px;
        padding: 12px;
        max-inline-size: 440px;
        text-align: center;
        text-wrap: balance;
        animation: appear var(--calm) both;
      }

      .sign {
        display: grid;
        place-items: center;
        inline-size: 64px;
        block-size: 64px;
        margin-block-end: 10px;
        border-radius: 50%;
        background: var(--hover);
        color: var(--soft);
      }

      .sign svg {
        inline-size: 28px;
        block-size: 28px;
      }

      .ring {
        inline-size: 34px;
        block-size: 34px;
        margin-block-end: 14px;
        border-radius: 50%;
        border: 2.5px solid var(--line);
        border-block-start-color: var(--ink);
        animation: turn 0.9s linear infinite;
      }

      h1 {
        margin: 0;
        font-size: clamp(20px, 3.4cqi, 26px);
        font-weight: 600;
        letter-spacing: -0.01em;
        line-height: 1.3;
      }

      p {
        margin: 0;
        color: var(--soft);
        font-size: 15px;
        line-height: 1.6;
      }

      .detail {
        margin-block-start: 8px;
        font-size: 12.5px;
        font-family: ui-monospace, 'SF Mono', 'Cascadia Mono', Menlo, Consolas, monospace;
        overflow-wrap: anywhere;
        opacity: 0.85;
      }

      .retry {
        margin-block-start: 14px;
        min-block-size: 44px;
        padding-inline: 22px;
        border-radius: 14px;
        background: var(--ink);
        color: var(--ground);
        font-weight: 600;
        font-size: 14px;
      }

      .count {
        font-variant-numeric: tabular-nums;
      }

      @keyframes turn {
        to {
          rotate: 1turn;
        }
      }

      @keyframes appear {
        from {
          opacity: 0;
          translate: 0 6px;
        }
      }

      @media (prefers-reduced-motion: reduce) {
        .ring {
          animation-duration: 4s;
        }

        .card {
          animation: none;
        }
      }
    `,
  ]

  protected override render(): TemplateResult {
    const { strings: text, view } = this
    const { icon, more } = this.#message()
    const showDetail = view.detail && (view.state === 'unreachable' || view.state === 'unplayable' || view.state === 'not-allowed')
    return html`
      <div class="card">
        ${icon ? html`<span class="sign">${icon}</span>` : html`<span class="ring"></span>`}
        <h1>${title(text, view.state, view.interrupted)}</h1>
        ${more.map((line) => html`<p>${line}</p>`)}
        ${view.state === 'unreachable'
          ? html`
              <p class="count">${view.retryIn === null ? `${text.connecting} …` : text.retryIn(view.retryIn)}</p>
              <button class="retry" @click=${() => act(this, { type: 'retry' })}>${text.retryNow}</button>
            `
          : nothing}
        ${showDetail ? html`<p class="detail">${view.detail}</p>` : nothing}
      </div>
    `
  }

  #message(): Message {
    const { strings: text, view } = this
    switch (view.state) {
      case 'no-room':
        return { icon: icons.window, more: [text.noRoomMore] }
      case 'connecting':
        return { icon: null, more: [text.connectingMore] }
      case 'buffering':
      case 'live':
        return { icon: null, more: [] }
      case 'paused':
        return { icon: icons.pause, more: [text.pausedMore] }
      case 'offline':
        if (view.interrupted) return { icon: icons.plug, more: [text.interruptedMore] }
        return { icon: icons.moon, more: [text.offlineMore] }
      case 'ended':
        return { icon: icons.flag, more: [text.endedMore] }
      case 'not-allowed':
        return { icon: icons.lock, more: [text.notAllowedMore] }
      case 'unreachable':
        return { icon: icons.plug, more: [text.unreachableMore] }
      case 'unplayable':
        return { icon: icons.warning, more: [text.unplayableMore] }
      case 'unsupported': {
        if (view.detail === 'secure context') return { icon: icons.window, more: [text.unsupportedInsecure] }
        const lacking = text.unsupportedMissing(view.detail ?? '')
        return { icon: icons.window, more: [lacking, text.unsupportedMore(BROWSERS.join(' · '))] }
      }
    }
  }
}

/** A state in a few words; `interrupted` where there was a picture before. */
export function title(text: Strings, state: CardView['state'], interrupted: boolean): string {
  switch (state) {
    case 'no-room':
      return text.noRoom
    case 'connecting':
      return text.connecting
    case 'live':
      return text.live
    case 'buffering':
      return text.buffering
    case 'paused':
      return text.paused
    case 'offline':
      return interrupted ? text.interrupted : text.offline
    case 'ended':
      return text.ended
    case 'not-allowed':
      return text.notAllowed
    case 'unreachable':
      return text.unreachable
    case 'unplayable':
      return text.unplayable
    case 'unsupported':
      return text.unsupported
  }
}

customElements.define('live-room-card', Card)
