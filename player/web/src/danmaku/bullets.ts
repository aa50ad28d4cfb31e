/** The bullets over one picture: a layer, once there is one to show, and how its viewer wants it. */

import type { Bullet } from '../room/danmaku'
import { Layer } from './layer'
import { recalled, remembered, type Settings } from './settings'

/** Bullets of one element. */
export class Bullets {
  #settings: Settings = recalled()
  #layer: Layer | null = null

  /** @param canvas - finds what is drawn on, once it is there. */
  constructor(private readonly canvas: () => HTMLCanvasElement | null) {}

  /** How the viewer wants them. */
  get settings(): Settings {
    return this.#settings
  }

  /** Wants them otherwise, from now on and next time. */
  want(change: Partial<Settings>): void {
    this.#settings = remembered({ ...this.#settings, ...change })
    this.#layer?.want(this.#settings)
  }

  /** Shows one, when there is room for it. */
  show(bullet: Bullet, own: 'own' | 'other'): void {
    const canvas = this.canvas()
    if (!canvas) return
    this.#layer ??= new Layer(canvas, this.#settings)
    this.#layer.arrange()
    this.#layer.show(bullet, own)
  }

  /** Takes away what a moderator took away. */
  remove(gone: { readonly message?: number; readonly viewer?: string }): void {
    this.#layer?.remove(gone)
  }
}
