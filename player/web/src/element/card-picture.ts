/** A product's picture; its first letter where there is none, or none that loads. */

import { css, html, nothing, type TemplateResult } from 'lit'

import type { Card } from '../room/products'

/** The picture of a card. Whose site it comes from learns nothing of the page. */
export function cardPicture({ title, picture }: Card): TemplateResult {
  const show = (visibility: string) => ({ target }: Event) => ((target as HTMLElement).style.visibility = visibility)
  return html`<span class="thumb" aria-hidden="true">
    <span>${Array.from(title.trim())[0] ?? '·'}</span>
    ${picture === null
      ? nothing
      : html`<img src=${picture} alt="" decoding="async" referrerpolicy="no-referrer" @load=${show('visible')} @error=${show('hidden')} />`}
  </span>`
}

export const cardPictureStyles = css`
  .thumb { display: grid; place-items: center; inline-size: 56px; block-size: 56px; flex: none; border-radius: 12px; overflow: hidden; background: var(--hover); color: var(--soft); font-size: 22px; font-weight: 700; }
  .thumb > * { grid-area: 1 / 1; }
  .thumb img { inline-size: 100%; block-size: 100%; object-fit: cover; }
`
