/** What the element, its worker and its audio worklet say to each other. */

import type { RingReport } from './audio-ring'
import type { Say } from './room/say'
import type { News } from './room/seat'
import type { Statistics } from './statistics'

/** What a person sees of the playback. */
export type State =
  | 'connecting'
  | 'live'
  | 'buffering'
  | 'paused'
  | 'offline'
  | 'ended'
  | 'not-allowed'
  | 'unreachable'
  | 'unsupported'
  | 'unplayable'

/** A rendition that the viewer can choose. */
export interface Rendition {
  readonly name: string
  readonly label: string
  readonly bitrate: number
}

/** How local audio time relates to local clock time (milliseconds since the Unix epoch). */
export interface ClockPair {
  /** Audio context time, seconds, of the sound that is being heard at `epoch`. */
  readonly context: number
  readonly epoch: number
}

/** Element to worker. */
export type Command =
  | { readonly type: 'start'; readonly canvas: OffscreenCanvas; readonly audio: MessagePort }
  | {
      readonly type: 'connect'
      readonly url: string
      readonly certHash: string | null
      readonly room: string
      readonly token: string | null
      /** Who takes part; `null` where this viewer only watches. */
      readonly viewer: string | null
      /** Local time, milliseconds since the Unix epoch, from which startup is measured. */
      readonly startedAt: number
    }
  | { readonly type: 'disconnect' }
  | { readonly type: 'visible'; readonly visible: boolean }
  | { readonly type: 'paused'; readonly paused: boolean }
  | { readonly type: 'quality'; readonly quality: string }
  | { readonly type: 'latency'; readonly target: number | null }
  | { readonly type: 'viewport'; readonly width: number; readonly height: number }
  | { readonly type: 'audio'; readonly running: boolean; readonly output: number }
  | { readonly type: 'jump' }
  | { readonly type: 'read-timecode'; readonly id: number }
  | { readonly type: 'say'; readonly id: number; readonly say: Say }

/** Worker to element. */
export type Notice =
  | { readonly type: 'state'; readonly state: State; readonly detail: string | null }
  | { readonly type: 'renditions'; readonly renditions: readonly Rendition[]; readonly hasAudio: boolean }
  | { readonly type: 'rendition'; readonly name: string | null }
  | { readonly type: 'size'; readonly width: number; readonly height: number }
  | { readonly type: 'first-picture' }
  | { readonly type: 'statistics'; readonly statistics: Statistics }
  /** The picture in a handful of pixels, now and then. */
  | { readonly type: 'colours'; readonly colours: ImageBitmap }
  | { readonly type: 'timecode'; readonly id: number; readonly timecode: number | null }
  | { readonly type: 'room'; readonly news: News }

/** Worker to worklet. */
export type Sound =
  | { readonly type: 'samples'; readonly timestamp: number; readonly planes: readonly Float32Array[] }
  | { readonly type: 'target'; readonly delay: number }
  | { readonly type: 'clear' }

/** Worklet to worker. */
export interface Heard extends RingReport {
  readonly type: 'heard'
  /** Local time that `delay` belongs to, milliseconds since the Unix epoch. */
  readonly at: number
}
