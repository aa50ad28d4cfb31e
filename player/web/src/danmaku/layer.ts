/** Draws bullets over the picture, on one canvas, a frame at a time while there are any. */

import type { Bullet } from '../room/danmaku'
import { Lanes, type Placed, type Stage } from './lanes'
import type { Settings } from './settings'

const LINE = 1.45
const CROSSING_MS = 9_000
const STANDING_MS = 4_500

interface Drawn {
  readonly picture: HTMLCanvasElement
  readonly viewer: string
}

/** One layer. Each text is painted once and moved as an image, so that a frame costs next to nothing. */
export class Layer {
  readonly #lanes = new Lanes({ width: 0, lanes: 0, crossing: CROSSING_MS, standing: STANDING_MS })
  readonly #texts = new Map<number, Drawn>()
  #frame: number | null = null
  #scale = 1

  constructor(
    private readonly canvas: HTMLCanvasElement,
    private settings: Settings,
  ) {}

  /** Follows other wishes. */
  want(settings: Settings): void {
    this.settings = settings
    this.arrange()
  }

  /** Follows the size of the picture. */
  arrange(): void {
    const { canvas, settings } = this
    this.#scale = window.devicePixelRatio
    const { width, height } = canvas.getBoundingClientRect()
    const [columns, rows] = [Math.round(width * this.#scale), Math.round(height * this.#scale)]
    if (canvas.width !== columns || canvas.height !== rows) [canvas.width, canvas.height] = [columns, rows]
    const stage: Stage = {
      width,
      lanes: Math.max(Math.floor((height * settings.area) / (this.#size * LINE)), 1),
      crossing: CROSSING_MS / settings.speed,
      standing: STANDING_MS,
    }
    this.#lanes.restage(stage)
    canvas.style.opacity = settings.isOn ? String(settings.opacity) : '0'
  }

  /** Shows one, when there is room for it. */
  show(bullet: Bullet, own: 'own' | 'other'): void {
    const { isOn, filter } = this.settings
    if (!isOn || document.visibilityState === 'hidden') return
    const text = bullet.text.toLowerCase()
    if (own === 'other' && filter.some((word) => text.includes(word))) return
    const picture = this.#paint(bullet, own)
    this.#texts.set(bullet.message, { picture, viewer: bullet.viewer })
    const rank = own === 'own' ? 'own' : bullet.role
    this.#lanes.put(performance.now(), { id: bullet.message, width: picture.width / this.#scale, mode: bullet.mode, rank })
    this.#frame ??= requestAnimationFrame(this.#draw)
  }

  /** Takes away what a moderator took away. */
  remove({ message, viewer }: { readonly message?: number; readonly viewer?: string }): void {
    for (const [id, text] of this.#texts) if (id === message || text.viewer === viewer) this.#lanes.remove(id)
  }

  get #size(): number {
    const height = this.canvas.getBoundingClientRect().height
    return Math.min(Math.max(height / 20, 15), 34) * this.settings.size
  }

  readonly #draw = (): void => {
    const now = performance.now()
    const context = this.canvas.getContext('2d')
    this.#frame = null
    if (!context) return
    this.#lanes.poll(now)
    context.clearRect(0, 0, this.canvas.width, this.canvas.height)
    for (const placed of this.#lanes.placed) this.#move(context, now, placed)
    const alive = new Set([...this.#lanes.placed, ...this.#lanes.waiting].map(({ id }) => id))
    for (const id of this.#texts.keys()) if (!alive.has(id)) this.#texts.delete(id)
    if (alive.size > 0) this.#frame = requestAnimationFrame(this.#draw)
  }

  #move(context: CanvasRenderingContext2D, now: number, placed: Placed): void {
    const text = this.#texts.get(placed.id)
    if (!text) return
    const line = this.#size * LINE
    const top = placed.mode === 'bottom' ? this.canvas.height / this.#scale - (this.#lanes.lanes - placed.lane) * line : placed.lane * line
    context.drawImage(text.picture, Math.round(this.#lanes.left(now, placed) * this.#scale), Math.round(top * this.#scale))
  }

  #paint({ text, color }: Bullet, own: 'own' | 'other'): HTMLCanvasElement {
    const picture = document.createElement('canvas')
    const size = this.#size * this.#scale
    const font = `600 ${size}px system-ui, 'Noto Sans CJK SC', 'PingFang SC', 'Microsoft YaHei', sans-serif`
    const context = picture.getContext('2d')
    if (!context) return picture
    context.font = font
    const margin = size * 0.3
    picture.width = Math.ceil(context.measureText(text).width + 2 * margin)
    picture.height = Math.ceil(size * LINE)
    context.font = font
    context.textBaseline = 'middle'
    context.lineJoin = 'round'
    context.lineWidth = size / 7
    context.strokeStyle = 'rgb(0 0 0 / 72%)'
    context.fillStyle = color
    context.strokeText(text, margin, picture.height / 2)
    context.fillText(text, margin, picture.height / 2)
    if (own === 'own') context.fillRect(margin, picture.height - size / 10, picture.width - 2 * margin, size / 14)
    return picture
  }
}
