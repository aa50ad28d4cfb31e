/** The worker: network, decoding and drawing happen here, off the page's thread. */

import { now } from './clock'
import { Display } from './display'
import type { Command, Notice } from './messages'
import { Viewer } from './viewer'

const TICK_MS = 15

const notify = (notice: Notice): void => postMessage(notice)

let viewer: Viewer | null = null

onmessage = ({ data: command }: MessageEvent<Command>) => {
  if (command.type === 'start') start(command.canvas, command.audio)
  else viewer?.command(command)
}

function start(canvas: OffscreenCanvas, audio: MessagePort): void {
  const events = {
    shown: (captured: number, rendition: string) => viewer?.shown(captured, rendition),
    dropped: () => viewer?.dropped(),
    timecode: (captured: number, drawnAt: number) => viewer?.timecode(captured, drawnAt),
    size: (width: number, height: number) => notify({ type: 'size', width, height }),
    colours: (colours: ImageBitmap) => postMessage({ type: 'colours', colours } satisfies Notice, { transfer: [colours] }),
  }
  const running = new Viewer(new Display(canvas, events, now), audio, notify, now)
  viewer = running
  if (typeof requestAnimationFrame === 'function') {
    const animate = (): void => {
      running.animate()
      requestAnimationFrame(animate)
    }
    requestAnimationFrame(animate)
    // No animation frames come while the page is hidden; sound goes on.
    setInterval(() => running.tick(), TICK_MS)
  } else setInterval(() => running.animate(), TICK_MS)
}
