import type { Settings } from '../danmaku/settings'

/** What the viewer asks for with a control. */
export type Action =
  | { readonly type: 'play' }
  | { readonly type: 'mute' }
  | { readonly type: 'unmute' }
  | { readonly type: 'volume'; readonly volume: number }
  | { readonly type: 'fullscreen' }
  | { readonly type: 'jump' }
  | { readonly type: 'quality'; readonly quality: string }
  | { readonly type: 'latency'; readonly latency: number | null }
  | { readonly type: 'language'; readonly language: string }
  | { readonly type: 'statistics' }
  | { readonly type: 'danmaku'; readonly change: Partial<Settings> | 'toggle' }
  | { readonly type: 'menu' }
  | { readonly type: 'help' }
  | { readonly type: 'retry' }

/** Tells the elements around `from`. */
export function act(from: EventTarget, action: Action): void {
  from.dispatchEvent(new CustomEvent<Action>('live-room-action', { detail: action, bubbles: true, composed: true }))
}
