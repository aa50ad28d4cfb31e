/** Over the picture: the question that is being answered, the product that is shown, and bursts of reactions. */

import { css, html, nothing, unsafeCSS, type PropertyValues, type TemplateResult } from 'lit'
import { repeat } from 'lit/directives/repeat.js'

import { REACTIONS, type Reaction } from '../room/reactions'
import { cardPicture, cardPictureStyles } from './card-picture'
import { RoomPart } from './room-part'
import { FACES } from './room-reactions'
import { shapes, tokens } from './theme'

/** Faces that float at once. */
const MOST_FACES = 24
/** Faces that one tally adds, however many tapped. */
const MOST_OF_A_BURST = 8
const FLOAT_MS = 2_600

/** `<live-room-overlay>` */
export class RoomOverlay extends RoomPart {
  static override styles = [
    tokens,
    shapes,
    cardPictureStyles,
    css`
      :host { position: relative; display: block; overflow: hidden; pointer-events: none; border-radius: 14px; color-scheme: dark; container: overlay / inline-size; }
      .low { position: absolute; inset-inline: 3%; inset-block-end: 5%; display: flex; flex-direction: column; align-items: flex-start; gap: 10px; }
      .low > * { max-inline-size: min(100%, 560px); padding: 12px 16px; border-radius: 16px; background: rgb(11 12 14 / 84%); color: #f1efe9; animation: rise var(--calm) both; }
      .question { font-size: clamp(14px, 3.2cqi, 22px); line-height: 1.35; overflow-wrap: anywhere; border-inline-start: 4px solid #ff5a52; }
      .question small { display: block; font-size: 12.5px; color: #b9bbc1; }
      .product { display: flex; align-items: center; gap: 14px; pointer-events: auto; }
      .product p { margin: 0; min-inline-size: 0; overflow-wrap: anywhere; }
      .product b { display: -webkit-box; -webkit-line-clamp: 2; -webkit-box-orient: vertical; overflow: hidden; font-size: 14.5px; }
      .product span { font-size: 16px; font-weight: 700; color: #ffd9d6; }
      .thumb { background: rgb(241 239 233 / 14%); color: #f1efe9; }
      a { flex: none; display: grid; place-items: center; min-block-size: 44px; padding-inline: 18px; border-radius: 14px; background: #f1efe9; color: #14161a; font-size: 14px; font-weight: 650; text-decoration: none; }
      .face { position: absolute; inset-block-end: 6%; inset-inline-end: calc(4% + var(--at) * 14%); font-size: clamp(20px, 4cqi, 34px); animation: float ${unsafeCSS(FLOAT_MS)}ms cubic-bezier(0.2, 0.6, 0.4, 1) both; }
      @keyframes rise { from { opacity: 0; translate: 0 10px; } }
      @keyframes float { from { opacity: 0; translate: 0 0; scale: 0.6; } 15% { opacity: 1; scale: 1; } to { opacity: 0; translate: calc((var(--at) - 0.5) * 40px) -44cqi; } }
      @container overlay (max-width: 480px) { .low > * { padding: 8px 12px; } .product { gap: 10px; } .thumb { inline-size: 42px; block-size: 42px; font-size: 17px; } }
      @media (prefers-reduced-motion: reduce) { .low > * { animation: none; } .face { display: none; } }
    `,
  ]

  #faces: readonly { readonly id: number; readonly face: string; readonly at: number }[] = []
  #count = 0

  /** One's own tap is seen at once. */
  tapped(reaction: Reaction): void {
    this.#float(reaction, 1)
    this.requestUpdate()
  }

  protected override willUpdate(changed: PropertyValues<this>): void {
    const before = changed.get('board')?.tally
    if (before === undefined || before === this.board.tally) return
    for (const reaction of REACTIONS) this.#float(reaction, this.board.tally.burst[reaction] ?? 0)
  }

  protected override render(): TemplateResult {
    const { strings: text, board } = this
    const question = board.state.questions.find(({ stage }) => stage === 'onScreen')
    const card = board.pin && board.state.products.find(({ product }) => product === board.pin?.product)
    return html`
      <div class="low">
        ${question ? html`<div class="question"><small>${text.asksOnScreen(question.name)}</small>${question.text}</div>` : nothing}
        ${card
          ? html`<div class="product">
              ${cardPicture(card)}
              <p><b>${card.title}</b><span aria-label=${text.priceOf(card.title)}>${card.price}</span></p>
              ${card.link === '' ? nothing : html`<a href=${card.link} target="_blank" rel="noopener noreferrer">${text.buy}</a>`}
            </div>`
          : nothing}
      </div>
      <div aria-hidden="true">${repeat(this.#faces, ({ id }) => id, ({ face, at }) => html`<span class="face" style="--at: ${at}">${face}</span>`)}</div>
    `
  }

  /** Lets some faces rise. */
  #float(reaction: Reaction, taps: number): void {
    for (let face = 0; face < Math.min(taps, MOST_OF_A_BURST); face++) {
      if (this.#faces.length >= MOST_FACES) return
      const id = ++this.#count
      this.#faces = [...this.#faces, { id, face: FACES[reaction], at: Math.random() }]
      setTimeout(() => {
        this.#faces = this.#faces.filter((one) => one.id !== id)
        this.requestUpdate()
      }, FLOAT_MS)
    }
  }
}

customElements.define('live-room-overlay', RoomOverlay)
