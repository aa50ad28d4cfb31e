/** How a viewer wants bullets, as it was kept. */

import { recall, remember } from '../element/storage'
import { fields, list, text } from '../room/json'

/** The wishes. */
export interface Settings {
  readonly isOn: boolean
  /** 0.2 to 1. */
  readonly opacity: number
  /** Share of the picture's height, from the top: 0.25 to 1. */
  readonly area: number
  /** Factors, 0.5 to 2. */
  readonly size: number
  readonly speed: number
  /** Words, in lower case, that hide a bullet. */
  readonly filter: readonly string[]
}

export const DEFAULTS: Settings = { isOn: true, opacity: 0.9, area: 0.5, size: 1, speed: 1, filter: [] }

export function recalled(): Settings {
  let kept: unknown = null
  try {
    kept = JSON.parse(recall('danmaku') ?? 'null')
  } catch {
    // What cannot be read is as if it were not there.
  }
  return read(kept)
}

/** Keeps wishes for next time, within their bounds. */
export function remembered(wishes: Settings): Settings {
  const settings = read(wishes)
  remember('danmaku', JSON.stringify(settings))
  return settings
}

/** Wishes within their bounds. */
export function read(value: unknown): Settings {
  const { isOn, opacity, area, size, speed, filter } = fields(value)
  return {
    isOn: isOn !== false,
    opacity: within(opacity, 0.2, 1, DEFAULTS.opacity),
    area: within(area, 0.25, 1, DEFAULTS.area),
    size: within(size, 0.5, 2, DEFAULTS.size),
    speed: within(speed, 0.5, 2, DEFAULTS.speed),
    filter: list(filter, text).map((word) => word.toLowerCase().trim()).filter((word) => word !== '').slice(0, 50),
  }
}

function within(value: unknown, least: number, most: number, otherwise: number): number {
  return typeof value === 'number' && Number.isFinite(value) ? Math.min(Math.max(value, least), most) : otherwise
}
