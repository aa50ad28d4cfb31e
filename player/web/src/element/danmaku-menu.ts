/** How a viewer wants bullets: part of the settings. */

import { css, html, LitElement, nothing, type TemplateResult } from 'lit'

import type { Settings } from '../danmaku/settings'
import type { Strings } from '../i18n'
import { act } from './action'
import { shapes, tokens } from './theme'

const SLIDERS = [
  { name: 'opacity', least: 0.2, most: 1 },
  { name: 'area', least: 0.25, most: 1 },
  { name: 'size', least: 0.5, most: 2 },
  { name: 'speed', least: 0.5, most: 2 },
] as const

/** `<danmaku-menu>` */
export class DanmakuMenu extends LitElement {
  static override properties = { strings: { attribute: false }, settings: { attribute: false } }
  declare strings: Strings
  declare settings: Settings
  static override styles = [
    tokens,
    shapes,
    css`
      :host { display: block; padding: 4px 12px 8px; font-size: 14px; }
      label { display: grid; grid-template-columns: 7em 1fr 3.2em; align-items: center; gap: 8px; min-block-size: 34px; font-size: 13px; }
      label.on { display: flex; min-block-size: 40px; font-size: 14px; cursor: pointer; }
      label.words { display: block; color: var(--soft); }
      output { text-align: end; color: var(--soft); font-size: 12px; font-variant-numeric: tabular-nums; }
      input[type='checkbox'] { inline-size: 18px; block-size: 18px; margin: 0; accent-color: var(--accent); }
      textarea { inline-size: 100%; min-block-size: 52px; margin-block-start: 4px; padding: 8px 10px; border-radius: 12px; border: 1px solid var(--line); background: none; color: var(--ink); font: inherit; font-size: 16px; resize: vertical; }
    `,
  ]

  protected override render(): TemplateResult {
    const { strings: text, settings } = this
    const words = { opacity: text.danmakuOpacity, area: text.danmakuArea, size: text.danmakuSize, speed: text.danmakuSpeed }
    return html`
      <label class="on">
        <input type="checkbox" .checked=${settings.isOn} @change=${({ target }: Event) => this.#want({ isOn: (target as HTMLInputElement).checked })} />
        ${text.danmaku}
      </label>
      ${settings.isOn
        ? html`${SLIDERS.map(({ name, least, most }) => {
              const share = (100 * (settings[name] - least)) / (most - least)
              return html`<label>
                ${words[name]}
                <input
                  type="range" min=${least} max=${most} step="0.05" .value=${String(settings[name])} style="--filled: ${share}%"
                  @input=${({ target }: Event) => this.#want({ [name]: Number((target as HTMLInputElement).value) })}
                />
                <output>${Math.round(100 * settings[name])} %</output>
              </label>`
            })}
            <label class="words">
              ${text.danmakuFilter}
              <textarea rows="2" .value=${settings.filter.join('\n')} @change=${({ target }: Event) => this.#want({ filter: (target as HTMLTextAreaElement).value.split('\n') })}></textarea>
            </label>`
        : nothing}
    `
  }

  #want(change: Partial<Settings>): void {
    act(this, { type: 'danmaku', change })
  }
}

customElements.define('danmaku-menu', DanmakuMenu)
