/** What a browser has to have to play the live room. */

/** A feature, by the name that people find it under. */
export type Feature = 'secure context' | 'WebTransport' | 'WebCodecs' | 'OffscreenCanvas' | 'AudioWorklet'

/** Features that this browser, or this page's origin, lacks; empty where everything is there. */
export function missing(scope: Partial<typeof globalThis> = globalThis): readonly Feature[] {
  if (scope.isSecureContext === false) return ['secure context']
  const lacking: Feature[] = []
  if (typeof scope.WebTransport !== 'function') lacking.push('WebTransport')
  if (typeof scope.VideoDecoder !== 'function' || typeof scope.AudioDecoder !== 'function') lacking.push('WebCodecs')
  const canvas = scope.HTMLCanvasElement
  if (typeof canvas !== 'function' || !('transferControlToOffscreen' in canvas.prototype)) lacking.push('OffscreenCanvas')
  if (typeof scope.AudioWorkletNode !== 'function') lacking.push('AudioWorklet')
  return lacking
}

/** The oldest versions with all of them. */
export const BROWSERS = ['Chrome 123', 'Edge 123', 'Firefox 130', 'Safari 26.4'] as const
