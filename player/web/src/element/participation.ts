/** A viewer's part in the room: what its element knows of the room, says and taps. */

import type { ReactiveController, ReactiveControllerHost } from 'lit'

import { BLANK, heard, said, takenBack, Taps, type Board } from '../room/board'
import type { Reaction } from '../room/reactions'
import type { Say } from '../room/say'
import type { News } from '../room/seat'

/** A little more than what the room allows taps to come in. */
const TAPS_EVERY_MS = 210

/** Keeps the board for a host, which is drawn again with every change of it. */
export class Participation implements ReactiveController {
  #board: Board = BLANK
  readonly #taps = new Taps()
  #tapTimer: ReturnType<typeof setInterval> | null = null

  /**
   * @param send - says something; answers the number by which its outcome is known, `undefined` where nobody listens.
   * @param changed - the board changed.
   */
  constructor(
    private readonly host: ReactiveControllerHost,
    private readonly send: (say: Say) => number | undefined,
    private readonly changed: (board: Board) => void,
  ) {
    host.addController(this)
  }

  /** The room as it is known now. */
  get board(): Board {
    return this.#board
  }

  hostDisconnected(): void {
    this.#endTaps()
  }

  /** Takes in what the room told. */
  hear(news: News): void {
    this.#become(heard(this.#board, news))
  }

  /** Says something; what became of it is on the board. */
  say(say: Say): void {
    const id = this.send(say)
    if (id !== undefined) this.#become(said(this.#board, id, say))
  }

  /** Takes a text that was refused off the board: it is being written anew. */
  takeBack(id: number): void {
    this.#become(takenBack(this.#board, id))
  }

  /** One tap; taps are sent together. */
  tap(reaction: Reaction): void {
    this.#taps.tap(reaction)
    if (this.#tapTimer !== null) return
    this.#tapTimer = setInterval(() => this.#sendTaps(), TAPS_EVERY_MS)
    this.#sendTaps()
  }

  #sendTaps(): void {
    const say = this.#taps.poll(performance.now())
    if (say) this.say(say)
    else this.#endTaps()
  }

  #endTaps(): void {
    if (this.#tapTimer !== null) clearInterval(this.#tapTimer)
    this.#tapTimer = null
  }

  #become(board: Board): void {
    if (board === this.#board) return
    this.#board = board
    this.changed(board)
    this.host.requestUpdate()
  }
}
