/** Product cards: written, put in order, shown to viewers and taken down. */

import { html, nothing, type TemplateResult } from 'lit'

import { MAX_PRICE_CHARS, MAX_TITLE_CHARS, MAX_URL_CHARS, webAddress, type Draft, type Product } from '../room/products'
import { cardPicture } from '../element/card-picture'
import { Part } from './part'
import { isForRow, walk } from './rows'

/** `<studio-products>` */
export class StudioProducts extends Part {
  /** The card that is being changed. */
  #editing: Product | null = null
  #fault: 'link' | 'picture' | null = null

  protected override render(): TemplateResult {
    const { text, board } = this
    const { products } = board.state
    return html`<div class="scroll" @keydown=${this.#pressed}>
      ${this.#editor()}
      <h2>${text.products}</h2>
      ${products.length === 0 ? html`<p class="empty">${text.noProducts}</p>` : nothing}
      <ul>${products.map((product, at) => this.#product(product, at))}</ul>
    </div>`
  }

  #editor(): TemplateResult {
    const { text } = this
    const card = this.#editing
    const field = (name: string, words: string, value: string, max: number): TemplateResult =>
      html`<input name=${name} maxlength=${max} .value=${value} placeholder=${words} aria-label=${words} autocomplete="off" />`
    return html`<h2>${card ? text.editProduct : text.newProduct}</h2>
      <form class="fields" @submit=${this.#save}>
        ${field('title', text.productTitle, card?.title ?? '', MAX_TITLE_CHARS)} ${field('price', text.price, card?.price ?? '', MAX_PRICE_CHARS)}
        ${field('link', text.link, card?.link ?? '', MAX_URL_CHARS)}
        ${this.#fault === 'link' ? html`<p class="failed" role="alert">${text.badLink}</p>` : nothing}
        ${field('picture', text.picture, card?.picture ?? '', MAX_URL_CHARS)}
        ${this.#fault === 'picture' ? html`<p class="failed" role="alert">${text.badLink}</p>` : nothing}
        <div class="line">
          <button class="solid">${card ? text.save : text.add}</button>
          ${card ? html`<button type="button" class="act" @click=${() => this.#edit(null)}>${text.cancel}</button>` : nothing}
        </div>
      </form>`
  }

  #product(product: Product, at: number): TemplateResult {
    const { text, board } = this
    const isShown = board.state.pin?.product === product.product
    const last = board.state.products.length - 1
    return html`<li data-row tabindex="0" data-product=${product.product}>
      <div class="card">
        ${cardPicture(product)}
        <p>
          <b>${product.title}</b>
          <small>${product.price}</small> ${isShown ? html`<span class="badge">${text.shown}</span>` : nothing}
        </p>
      </div>
      <div class="acts">
        ${isShown
          ? html`<button class="act" @click=${() => this.say({ kind: 'product', act: 'unpin' })}>${text.unshow}<kbd>s</kbd></button>`
          : html`<button class="solid" @click=${() => this.#pin(product)}>${text.showCard}<kbd>s</kbd></button>`}
        <button class="act" aria-label=${text.up} ?disabled=${at === 0} @click=${() => this.#move(at, -1)}>↑</button>
        <button class="act" aria-label=${text.down} ?disabled=${at === last} @click=${() => this.#move(at, 1)}>↓</button>
        <button class="act" @click=${() => this.#edit(product)}>${text.edit}</button>
        <button class="act danger" @click=${() => this.say({ kind: 'product', act: 'remove', product: product.product })}>${text.remove}</button>
      </div>
    </li>`
  }

  readonly #pressed = (event: KeyboardEvent): void => {
    if (!isForRow(event)) return
    const [target] = event.composedPath()
    const row = target instanceof Element ? target.closest<HTMLElement>('[data-product]') : null
    if (event.key === 's' && row) {
      const product = this.board.state.products.find((one) => String(one.product) === row.dataset.product)
      if (!product) return
      event.preventDefault()
      if (this.board.state.pin?.product === product.product) this.say({ kind: 'product', act: 'unpin' })
      else this.#pin(product)
    } else walk(event, this.renderRoot)
  }

  #pin({ product }: Product): void {
    this.say({ kind: 'product', act: 'pin', product })
  }

  #move(at: number, by: -1 | 1): void {
    const order = this.board.state.products.map(({ product }) => product)
    const [moved] = order.splice(at, 1)
    if (moved === undefined) return
    this.say({ kind: 'product', act: 'reorder', products: order.toSpliced(at + by, 0, moved) })
  }

  #edit(product: Product | null): void {
    this.#editing = product
    this.#fault = null
    this.requestUpdate()
    if (product) this.renderRoot.querySelector<HTMLElement>('[name=title]')?.focus()
  }

  readonly #save = (event: Event): void => {
    event.preventDefault()
    const form = event.target as HTMLFormElement
    const of = (name: string): string => (form.elements.namedItem(name) as HTMLInputElement).value.trim()
    const [title, price, link, picture] = [of('title'), of('price'), of('link'), of('picture')]
    this.#fault = webAddress(link) === null ? 'link' : picture !== '' && webAddress(picture) === null ? 'picture' : null
    this.requestUpdate()
    if (title === '') form.querySelector<HTMLElement>('[name=title]')?.focus()
    if (title === '' || this.#fault !== null) return
    const card: Draft = { title, price, link, ...(picture === '' ? {} : { picture }) }
    this.say(this.#editing ? { kind: 'product', act: 'edit', product: this.#editing.product, ...card } : { kind: 'product', act: 'add', ...card })
    form.reset()
    this.#edit(null)
  }
}

customElements.define('studio-products', StudioProducts)
