/** The queue of questions: to approve, open, on screen, answered, hidden. */

import { html, nothing, type TemplateResult } from 'lit'

import { sorted, type Order, type Question, type Stage } from '../room/questions'
import { Part } from './part'
import { isForRow, walk } from './rows'

/** `<studio-questions>` */
export class StudioQuestions extends Part {
  #order: Order = 'votes'

  protected override render(): TemplateResult {
    const { text } = this
    const all = this.#all()
    const of = (...stages: Stage[]): readonly Question[] => all.filter(({ stage }) => stages.includes(stage))
    return html`<div class="scroll" @keydown=${this.#pressed}>
      <div class="segments" role="group" aria-label=${text.order}>
        ${(['votes', 'newest'] as const).map(
          (order) => html`<button class="act" aria-pressed=${String(this.#order === order)} @click=${() => this.#sort(order)}>
            ${order === 'votes' ? text.byVotes : text.byTime}
          </button>`,
        )}
      </div>
      ${all.length === 0 ? html`<p class="empty">${text.noQuestions}</p>` : nothing}
      ${this.#group(text.isOnScreen, of('onScreen'))} ${this.#group(text.toApprove, of('asked'))}
      ${this.#group(text.open, of('approved'))} ${this.#group(text.answered, of('answered'))}
      ${this.#group(text.hidden, of('hidden'))}
    </div>`
  }

  /** Those that everybody sees and those that only moderators do, each once. */
  #all(): readonly Question[] {
    const shown = this.board.state.questions
    const known = new Set(shown.map(({ question }) => question))
    return sorted([...shown, ...(this.board.desk?.questions ?? []).filter(({ question }) => !known.has(question))], this.#order)
  }

  #group(title: string, questions: readonly Question[]): TemplateResult | typeof nothing {
    if (questions.length === 0) return nothing
    return html`<h2>${title}</h2>
      <ul aria-label=${title}>${questions.map((question) => this.#question(question))}</ul>`
  }

  #question({ question, text: asked, name, votes, stage }: Question): TemplateResult {
    const { text } = this
    const to = (next: Stage, words: string, key: string): TemplateResult =>
      html`<button class="act" @click=${() => this.say({ kind: 'question', question, to: next })}>${words}<kbd>${key}</kbd></button>`
    return html`<li data-row tabindex="0" data-question=${question}>
      <p class="said">${asked}</p>
      <small>${name} · ${text.votes(votes)}</small>
      <div class="acts">
        ${stage === 'asked' || stage === 'hidden' ? to('approved', text.approve, 'a') : nothing}
        ${stage === 'onScreen' ? to('approved', text.offScreen, 's') : stage === 'hidden' ? nothing : to('onScreen', text.onScreen, 's')}
        ${stage === 'answered' || stage === 'hidden' ? nothing : to('answered', text.answer, 'n')}
        ${stage === 'hidden' ? nothing : to('hidden', text.hide, 'x')}
      </div>
    </li>`
  }

  #sort(order: Order): void {
    this.#order = order
    this.requestUpdate()
  }

  readonly #pressed = (event: KeyboardEvent): void => {
    if (!isForRow(event) || walk(event, this.renderRoot)) return
    const [target] = event.composedPath()
    const row = target instanceof Element ? target.closest<HTMLElement>('[data-question]') : null
    const found = this.#all().find(({ question }) => String(question) === row?.dataset.question)
    if (!found) return
    const { question, stage } = found
    const next: Partial<Record<string, Stage>> = { a: 'approved', s: stage === 'onScreen' ? 'approved' : 'onScreen', n: 'answered', x: 'hidden' }
    const to = next[event.key]
    if (to === undefined || to === stage) return
    event.preventDefault()
    this.say({ kind: 'question', question, to })
  }
}

customElements.define('studio-questions', StudioQuestions)
