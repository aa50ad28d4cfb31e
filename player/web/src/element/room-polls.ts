/** Polls and quizzes: one vote each, bars that move, the right choice told in words as well as by colour. */

import { html, nothing, type TemplateResult } from 'lit'

import { share, type Poll } from '../room/polls'
import { RoomPart } from './room-part'

/** `<room-polls>` */
export class RoomPolls extends RoomPart {
  protected override render(): TemplateResult {
    const { strings: text, board } = this
    const polls = board.state.polls.toReversed()
    const stages = { open: text.pollOpen, locked: text.pollLocked, revealed: text.pollRevealed }
    return html`<ol class="list" aria-label=${text.polls} tabindex="0">
      ${polls.length === 0 ? html`<li class="empty">${text.noPolls}</li>` : nothing}
      ${polls.map(
        (poll) => html`<li class="poll">
          <h3>${poll.question}</h3>
          ${this.#choices(poll)}
          <small>${stages[poll.stage]} · ${text.voters(poll.voters)}</small>
        </li>`,
      )}
    </ol>`
  }

  #choices(poll: Poll): TemplateResult[] {
    const { strings: text } = this
    const chosen = this.board.you?.votes.find((vote) => vote.poll === poll.poll)?.choice ?? null
    return poll.choices.map((choice, at) => {
      const percent = Math.round(share(poll, at))
      const marks = [at === poll.correct ? `✓ ${text.rightChoice}` : '', at === chosen ? text.yourChoice : ''].filter((mark) => mark !== '')
      return html`<button
        class="choice ${at === poll.correct ? 'correct' : ''}"
        aria-pressed=${String(at === chosen)}
        ?disabled=${poll.stage !== 'open' || chosen !== null}
        style="--share: ${percent}%"
        @click=${() => this.say({ kind: 'vote', poll: poll.poll, choice: at })}
      >
        <span>${choice}${marks.length > 0 ? html`<small>${marks.join(' · ')}</small>` : nothing}</span>
        ${poll.votes ? html`<b>${percent} %</b>` : nothing}
      </button>`
    })
  }
}

customElements.define('room-polls', RoomPolls)
