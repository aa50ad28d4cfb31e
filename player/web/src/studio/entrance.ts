/** Where somebody without a token for the studio learns how to come by one. */

import { html, nothing, type TemplateResult } from 'lit'

import { faultOf, tokenIn, type Fault } from './key'
import { Part } from './part'

/**
 * `<studio-entrance>`
 * @fires studio-enter - a token that may be tried was given; `detail` is it.
 */
export class StudioEntrance extends Part {
  static override properties = { ...Part.properties, room: { attribute: false }, fault: { attribute: false } }
  declare room: string
  declare fault: Fault | null

  protected override render(): TemplateResult {
    const { text, room, fault } = this
    return html`<div class="scroll" style="display: grid; place-items: center">
      <form class="fields" style="inline-size: min(100%, 520px)" @submit=${this.#enter}>
        <h2 style="font-size: 20px; color: inherit; letter-spacing: 0; margin: 4px 0">${text.needKey}</h2>
        <p>${text.needKeyMore}</p>
        <code style="overflow-wrap: anywhere; padding: 10px 12px; border-radius: 12px; background: var(--hover)">relay token --room ${room} --role host</code>
        <input name="key" type="password" placeholder=${text.keyField} aria-label=${text.keyField} autocomplete="off" required />
        ${fault === null ? nothing : html`<p class="failed" role="alert">${this.#words(fault)}</p>`}
        <button class="solid">${text.enter}</button>
      </form>
    </div>`
  }

  #words(fault: Fault): string {
    const { text } = this
    switch (fault.why) {
      case 'unreadable':
        return text.keyUnreadable
      case 'viewer':
        return text.keyForViewers
      case 'expired':
        return text.keyExpired
      case 'refused':
        return text.keyRefused
      case 'room':
        return text.keyForRoom(fault.room)
    }
  }

  readonly #enter = (event: Event): void => {
    event.preventDefault()
    const field = (event.target as HTMLFormElement).elements.namedItem('key') as HTMLInputElement
    const token = tokenIn(field.value)
    this.fault = token === null ? { why: 'unreadable' } : faultOf(token, this.room, Date.now())
    if (token === null || this.fault !== null) return
    field.value = ''
    this.dispatchEvent(new CustomEvent<string>('studio-enter', { detail: token, bubbles: true, composed: true }))
  }
}

customElements.define('studio-entrance', StudioEntrance)
