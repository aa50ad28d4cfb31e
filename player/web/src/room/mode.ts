/** What the host allows: features, who may speak and how often. */

import { count, fields, word } from './json'

export const MAX_SLOW_SECONDS = 120

export const PRESETS = ['teaching', 'selling', 'gaming', 'talk'] as const
export const FEATURES = ['chat', 'danmaku', 'reactions', 'questions', 'polls', 'products', 'hands'] as const
export const SPEAKERS = ['everybody', 'members', 'moderators'] as const
export const APPROVALS = ['none', 'questions', 'all'] as const
export const CONTENTS = ['text', 'links', 'emotes'] as const

export type Preset = (typeof PRESETS)[number]
export type Feature = (typeof FEATURES)[number]
/** What there is in the room. */
export type Features = Readonly<Record<Feature, boolean>>

/** The rules of the room, as everybody sees them. */
export interface Mode {
  readonly preset: Preset
  readonly features: Features
  /** Seconds between two messages of one viewer; 0 for no slow mode. */
  readonly slowSeconds: number
  readonly speakers: (typeof SPEAKERS)[number]
  readonly approval: (typeof APPROVALS)[number]
  readonly content: (typeof CONTENTS)[number]
}

/** A change of the rules: what is not named stays. */
export type Change = Partial<Mode> & { readonly blockedWords?: readonly string[] }

/** Those of the preset `talk`, which a room begins with. */
export const MODE: Mode = {
  preset: 'talk',
  features: { chat: true, danmaku: true, reactions: true, questions: true, polls: true, products: false, hands: false },
  slowSeconds: 0,
  speakers: 'everybody',
  approval: 'none',
  content: 'text',
}

export function readMode(value: unknown): Mode {
  const mode = fields(value)
  const given = fields(mode.features)
  const features = { ...MODE.features }
  for (const feature of FEATURES) if (typeof given[feature] === 'boolean') features[feature] = given[feature]
  return {
    preset: word(mode.preset, PRESETS, MODE.preset),
    features,
    slowSeconds: count(mode.slowSeconds) ?? 0,
    speakers: word(mode.speakers, SPEAKERS, MODE.speakers),
    approval: word(mode.approval, APPROVALS, MODE.approval),
    content: word(mode.content, CONTENTS, MODE.content),
  }
}
