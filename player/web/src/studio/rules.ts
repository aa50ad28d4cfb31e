/** The rules of the room: its kind, what there is, who may speak and how. */

import { html, type TemplateResult } from 'lit'

import { APPROVALS, CONTENTS, FEATURES, MAX_SLOW_SECONDS, PRESETS, SPEAKERS, type Change, type Feature } from '../room/mode'
import { MAX_CHARS } from '../room/notice'
import { Part } from './part'

/** `<studio-rules>` */
export class StudioRules extends Part {
  /** Seconds that the slider shows while it is held. */
  #slow: number | null = null

  protected override render(): TemplateResult {
    const { text, board } = this
    const { mode, notice } = board.state
    return html`<div class="scroll">
      <h2>${text.notice}</h2>
      <form class="line" @submit=${this.#putUp}>
        <input name="notice" maxlength=${MAX_CHARS} .value=${notice?.text ?? ''} placeholder=${text.noticeHint} aria-label=${text.notice} autocomplete="off" />
        <button class="solid">${text.setNotice}</button>
        <button type="button" class="act" ?disabled=${notice === null} @click=${() => this.say({ kind: 'notice', text: '' })}>${text.clearNotice}</button>
      </form>
      <h2>${text.presets}</h2>
      ${this.#one(text.presets, PRESETS, mode.preset, (preset) => text.preset[preset], (preset) => ({ preset }))}
      <h2>${text.features}</h2>
      ${FEATURES.map((feature) => this.#feature(feature))}
      <h2>${text.slow}</h2>
      <div class="line">
        <input
          type="range" min="0" max=${MAX_SLOW_SECONDS} step="1" aria-label=${text.slow} .value=${String(this.#slow ?? mode.slowSeconds)}
          style="--filled: ${(100 * (this.#slow ?? mode.slowSeconds)) / MAX_SLOW_SECONDS}%" @input=${this.#slowing} @change=${this.#slowed}
        />
        <output style="min-inline-size: 4em; text-align: end">${this.#seconds(this.#slow ?? mode.slowSeconds)}</output>
      </div>
      <h2>${text.speakers}</h2>
      ${this.#one(text.speakers, SPEAKERS, mode.speakers, (one) => text.speaker[one], (speakers) => ({ speakers }))}
      <h2>${text.approval}</h2>
      ${this.#one(text.approval, APPROVALS, mode.approval, (one) => text.approvals[one], (approval) => ({ approval }))}
      <h2>${text.content}</h2>
      ${this.#one(text.content, CONTENTS, mode.content, (one) => text.contents[one], (content) => ({ content }))}
      <h2>${text.blockedWords}</h2>
      <form class="fields" @submit=${this.#block}>
        <textarea name="words" aria-label=${text.blockedWords} .value=${(board.desk?.blockedWords ?? []).join('\n')} spellcheck="false"></textarea>
        <div class="line"><button class="solid">${text.save}</button><small>${text.blockedHint}</small></div>
      </form>
    </div>`
  }

  /** One of several, as buttons side by side. */
  #one<T extends string>(title: string, all: readonly T[], now: T, words: (one: T) => string, change: (one: T) => Change): TemplateResult {
    return html`<div class="segments" role="group" aria-label=${title}>
      ${all.map(
        (one) => html`<button class="act" aria-pressed=${String(one === now)} @click=${() => this.#change(change(one))}>${words(one)}</button>`,
      )}
    </div>`
  }

  #feature(feature: Feature): TemplateResult {
    const { features } = this.board.state.mode
    return html`<label class="check">
      <input
        type="checkbox" name=${feature} .checked=${features[feature]}
        @change=${({ target }: Event) => this.#change({ features: { ...features, [feature]: (target as HTMLInputElement).checked } })}
      />${this.text.feature[feature]}
    </label>`
  }

  #change(change: Change): void {
    this.say({ kind: 'mode', ...change })
  }

  #seconds(seconds: number): string {
    return seconds === 0 ? this.text.slowOff : `${seconds} s`
  }

  readonly #slowing = ({ target }: Event): void => {
    this.#slow = Number((target as HTMLInputElement).value)
    this.requestUpdate()
  }

  readonly #slowed = ({ target }: Event): void => {
    this.#change({ slowSeconds: Number((target as HTMLInputElement).value) })
    this.#slow = null
  }

  readonly #putUp = (event: Event): void => {
    event.preventDefault()
    const said = (event.target as HTMLFormElement).elements.namedItem('notice') as HTMLInputElement
    this.say({ kind: 'notice', text: said.value.trim() })
  }

  readonly #block = (event: Event): void => {
    event.preventDefault()
    const words = (event.target as HTMLFormElement).elements.namedItem('words') as HTMLTextAreaElement
    const all = words.value.split('\n').map((word) => word.trim())
    this.#change({ blockedWords: [...new Set(all)].filter((word) => word !== '') })
  }
}

customElements.define('studio-rules', StudioRules)
