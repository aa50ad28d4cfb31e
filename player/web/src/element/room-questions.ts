/** Questions for the host, those with most votes first. */

import { html, nothing, type TemplateResult } from 'lit'

import { sorted } from '../room/questions'
import { RoomPart } from './room-part'

/** `<room-questions>` */
export class RoomQuestions extends RoomPart {
  protected override render(): TemplateResult {
    const { strings: text, board } = this
    const questions = sorted(board.state.questions, 'votes')
    return html`<ol class="list" aria-label=${text.questions} tabindex="0">
      ${questions.length === 0 ? html`<li class="empty">${text.noQuestions}</li>` : nothing}
      ${questions.map(({ question, text: asked, name, votes, stage }) => {
        const voted = board.you?.upvotes.includes(question) ?? false
        return html`<li class="question ${stage}">
          <button
            class="vote"
            aria-label="${text.upvote}: ${votes}"
            aria-pressed=${String(voted)}
            ?disabled=${voted || stage === 'answered'}
            @click=${() => this.say({ kind: 'upvote', question })}
          >
            ▲ ${votes}
          </button>
          <p><span>${asked}</span><small>${name}${stage === 'answered' ? ` · ${text.answered}` : ''}</small></p>
        </li>`
      })}
    </ol>`
  }
}

customElements.define('room-questions', RoomQuestions)
