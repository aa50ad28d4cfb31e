/** The keys that work, for who asks. */

import { css, html, LitElement, type TemplateResult } from 'lit'

import type { Strings } from '../i18n'
import { act } from './action'
import * as icons from './icons'
import { shapes, tokens } from './theme'

/** `<live-room-help>` */
export class Help extends LitElement {
  static override properties = { strings: { attribute: false } }
  declare strings: Strings

  static override styles = [
    tokens,
    shapes,
    css`
      :host {
        display: block;
      }

      .help {
        padding: 14px 14px 20px 24px;
        inline-size: 340px;
        max-inline-size: 100%;
        background: var(--raised);
        font-size: 14px;
      }

      header {
        display: flex;
        align-items: center;
        justify-content: space-between;
        font-weight: 600;
      }

      dl {
        display: grid;
        grid-template-columns: auto 1fr;
        gap: 10px 20px;
        align-items: center;
        margin: 6px 0 0;
      }

      dt {
        display: flex;
        gap: 6px;
      }

      dd {
        margin: 0;
        color: var(--soft);
      }

      kbd {
        font: inherit;
        font-size: 12px;
        min-inline-size: 26px;
        padding: 3px 7px;
        text-align: center;
        border: 1px solid var(--line);
        border-block-end-width: 2px;
        border-radius: 7px;
      }
    `,
  ]

  /** Puts the keyboard's focus into it. */
  enter(): void {
    this.renderRoot.querySelector('button')?.focus()
  }

  protected override render(): TemplateResult {
    const { strings: text } = this
    const keys: readonly (readonly [readonly string[], string])[] = [
      [['space', 'k'], text.keyPlay],
      [['m'], text.keyMute],
      [['f'], text.keyFullscreen],
      [['↑', '↓'], text.keyVolume],
      [['→', 'l'], text.keyJump],
      [['d'], text.keyDanmaku],
      [['s'], text.keyStatistics],
      [['?'], text.keyHelp],
    ]
    return html`
      <section class="help panel" role="dialog" aria-label=${text.shortcuts}>
        <header>
          ${text.shortcuts}
          <button class="icon-button" aria-label=${text.close} @click=${() => act(this, { type: 'help' })}>
            ${icons.close}
          </button>
        </header>
        <dl>
          ${keys.map(([names, what]) => html`<dt>${names.map((name) => html`<kbd>${name}</kbd>`)}</dt><dd>${what}</dd>`)}
        </dl>
      </section>
    `
  }
}

customElements.define('live-room-help', Help)
