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
  readonly title: string
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
    const { icon, title, more } = this.#message()
    const showDetail = view.detail && (view.state === 'unreachable' || view.state === 'unplayable' || view.state === 'not-allowed')
    return html`
      <div class="card">
        ${icon ? html`<span class="sign">${icon}</span>` : html`<span class="ring"></span>`}
        <h1>${title}</h1>
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
        return { icon: icons.window, title: text.noRoom, more: [text.noRoomMore] }
      case 'connecting':
        return { icon: null, title: text.connecting, more: [text.connectingMore] }
      case 'buffering':
      case 'live':
        return { icon: null, title: text.buffering, more: [] }
      case 'paused':
        return { icon: icons.pause, title: text.paused, more: [text.pausedMore] }
      case 'offline':
        if (view.interrupted) return { icon: icons.plug, title: text.interrupted, more: [text.interruptedMore] }
        return { icon: icons.moon, title: text.offline, more: [text.offlineMore] }
      case 'ended':
        return { icon: icons.flag, title: text.ended, more: [text.endedMore] }
      case 'not-allowed':
        return { icon: icons.lock, title: text.notAllowed, more: [text.notAllowedMore] }
      case 'unreachable':
        return { icon: icons.plug, title: text.unreachable, more: [text.unreachableMore] }
      case 'unplayable':
        return { icon: icons.warning, title: text.unplayable, more: [text.unplayableMore] }
      case 'unsupported': {
        const insecure = view.detail === 'secure context'
        const what = insecure ? text.unsupportedInsecure : text.unsupportedMissing(view.detail ?? '')
        const more = insecure ? [what] : [what, text.unsupportedMore(BROWSERS.join(' · '))]
        return { icon: icons.window, title: text.unsupported, more }
      }
    }
  }
}

customElements.define('live-room-card', Card)
