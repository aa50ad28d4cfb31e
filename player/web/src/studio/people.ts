/** Raised hands, who is silenced or sent away, and what moderators did. */

import { html, nothing, type TemplateResult } from 'lit'

import type { ActDone, Silenced } from '../room/desk'
import { Part } from './part'

/** `<studio-people>` */
export class StudioPeople extends Part {
  protected override render(): TemplateResult {
    const { text, board } = this
    const { hands } = board.state
    const { muted = [], banned = [], acts = [] } = board.desk ?? {}
    return html`<div class="scroll">
      <h2>${text.hands}</h2>
      ${hands.length === 0 ? html`<p class="soft">${text.noHands}</p>` : nothing}
      <ul aria-label=${text.hands}>
        ${hands.map(
          ({ viewer, name, at }) => html`<li data-row class="line">
            <span class="said" style="flex: 1">✋ <b>${name}</b><small>${this.time(at)}</small></span>
            <button class="act" @click=${() => this.say({ kind: 'lowerHands', viewer })}>${text.lower}</button>
          </li>`,
        )}
      </ul>
      ${hands.length > 1 ? html`<button class="act" @click=${() => this.say({ kind: 'lowerHands' })}>${text.lowerAll}</button>` : nothing}
      ${this.#silenced(text.muted, muted, text.unmute, (viewer) => this.say({ kind: 'mute', viewer, seconds: 0 }))}
      ${this.#silenced(text.banned, banned, text.unban, (viewer) => this.say({ kind: 'unban', viewer }))}
      <h2>${text.log}</h2>
      ${acts.length === 0 ? html`<p class="soft">${text.noLog}</p>` : nothing}
      <ol aria-label=${text.log}>${acts.toReversed().map((act) => this.#act(act))}</ol>
    </div>`
  }

  #silenced(title: string, them: readonly Silenced[], undo: string, back: (viewer: string) => void): TemplateResult {
    const { text } = this
    return html`<h2>${title}</h2>
      ${them.length === 0 ? html`<p class="soft">${text.nobody}</p>` : nothing}
      <ul aria-label=${title}>
        ${them.map(
          ({ viewer, name, at }) => html`<li data-row class="line">
            <span class="said" style="flex: 1"><b>${name}</b><small>${title === text.muted ? text.mutedUntil(this.time(at)) : this.time(at)}</small></span>
            <button class="act" @click=${() => back(viewer)}>${undo}</button>
          </li>`,
        )}
      </ul>`
  }

  #act({ at, by, act, to, detail }: ActDone): TemplateResult {
    const { messages, desk, state } = this.board
    const known = [...messages, ...(desk?.muted ?? []), ...(desk?.banned ?? []), ...state.hands].find(({ viewer }) => viewer === to)
    return html`<li data-row>
      <p class="said">
        <small>${this.time(at)}</small> <b>${by.name}</b>${this.text.done[act] ?? act}${to === null ? '' : ` → ${known?.name ?? to}`}
      </p>
      ${detail === '' ? nothing : html`<small class="said">${detail}</small>`}
    </li>`
  }
}

customElements.define('studio-people', StudioPeople)
