/** The keys of the studio, for who asks. */

import { css, html, type TemplateResult } from 'lit'

import { Part } from './part'

/** `<studio-keys>` */
export class StudioKeys extends Part {
  static override styles = [
    ...Part.styles,
    css`
      :host { position: absolute; block-size: auto; }
      dialog { inline-size: min(460px, calc(100vw - 32px)); padding: 18px 22px 22px; border: 1px solid var(--line); border-radius: 20px; background: var(--raised); color: var(--ink); }
      dialog::backdrop { background: rgb(0 0 0 / 40%); }
      dl { display: grid; grid-template-columns: auto 1fr; gap: 8px 16px; margin: 8px 0 16px; }
      dd { margin: 0; }
    `,
  ]

  /** Shows them. */
  open(): void {
    const dialog = this.renderRoot.querySelector('dialog')
    if (dialog?.open === false) dialog.showModal()
  }

  protected override render(): TemplateResult {
    const { text } = this
    const keys: readonly (readonly [string, string])[] = [
      ['↑ ↓ Home End', text.keyMove],
      ['d', text.keyDelete],
      ['m', text.keyMute],
      ['b', text.keyBan],
      ['r', text.keyReply],
      ['p', text.keyPin],
      ['a', text.keyShow],
      ['x', text.keyDrop],
      ['s', text.keyScreen],
      ['n', text.keyAnswered],
      ['Esc', text.keyCancel],
    ]
    return html`<dialog aria-label=${text.keys}>
      <h2>${text.keys}</h2>
      <dl>${keys.map(([key, what]) => html`<dt><kbd>${key}</kbd></dt><dd>${what}</dd>`)}</dl>
      <form method="dialog"><button class="solid">${text.close}</button></form>
    </dialog>`
  }
}

customElements.define('studio-keys', StudioKeys)
