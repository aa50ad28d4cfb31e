/** Product cards for live selling. */

import { count, fields, text } from './json'

export const MAX_TITLE_CHARS = 120
export const MAX_PRICE_CHARS = 40
export const MAX_URL_CHARS = 2048

/** What is on a card. */
export interface Card {
  readonly title: string
  readonly price: string
  /** Where it is sold: http or https; empty where it was something else. */
  readonly link: string
  /** Its picture: http or https. */
  readonly picture: string | null
}

/** A product of the room. */
export interface Product extends Card {
  readonly product: number
}

/** The card that is up. */
export interface Pin {
  readonly product: number
  /** Where in the broadcast it was pinned, microseconds since the epoch. */
  readonly media: number | null
}

/** A card as it is sent. */
export type Draft = Omit<Card, 'picture'> & { readonly picture?: string }

/** What the host does with products. */
export type Act =
  | ({ readonly act: 'add' } & Draft)
  | ({ readonly act: 'edit'; readonly product: number } & Draft)
  | { readonly act: 'remove'; readonly product: number }
  | { readonly act: 'reorder'; readonly products: readonly number[] }
  | { readonly act: 'pin'; readonly product: number; readonly media?: number }
  | { readonly act: 'unpin' }

export function readProduct(value: unknown): Product | null {
  const card = fields(value)
  const product = count(card.product)
  const title = text(card.title)
  if (product === null || title === null) return null
  return { product, title, price: text(card.price) ?? '', link: webAddress(card.link) ?? '', picture: webAddress(card.picture) }
}

export function readPin(value: unknown): Pin | null {
  const pin = fields(value)
  const product = count(pin.product)
  return product === null ? null : { product, media: count(pin.media) }
}

/** An address of the web; `null` for `javascript:` and everything else. */
export function webAddress(value: unknown): string | null {
  const address = text(value)
  if (address === null || address.length > MAX_URL_CHARS || !URL.canParse(address)) return null
  const { protocol, href } = new URL(address)
  return protocol === 'https:' || protocol === 'http:' ? href : null
}
