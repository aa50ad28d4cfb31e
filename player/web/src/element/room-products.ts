/** All products of the room; the one that is shown over the picture comes first. */

import { html, nothing, type TemplateResult } from 'lit'

import { cardPicture } from './card-picture'
import { RoomPart } from './room-part'

/** `<room-products>` */
export class RoomProducts extends RoomPart {
  protected override render(): TemplateResult {
    const { strings: text, board } = this
    const shown = board.pin?.product
    const products = board.state.products.toSorted((a, b) => Number(b.product === shown) - Number(a.product === shown))
    return html`<ol class="list" aria-label=${text.products} tabindex="0">
      ${products.length === 0 ? html`<li class="empty">${text.noProducts}</li>` : nothing}
      ${products.map(
        (card) => html`<li class="product">
          ${cardPicture(card)}
          <p><span>${card.title}</span><small>${card.price}</small></p>
          ${card.link === '' ? nothing : html`<a class="buy" href=${card.link} target="_blank" rel="noopener noreferrer">${text.buy}</a>`}
        </li>`,
      )}
    </ol>`
  }
}

customElements.define('room-products', RoomProducts)
