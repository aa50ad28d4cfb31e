/** Polls and quizzes: written, started, watched, locked, revealed. */

import { html, nothing, type TemplateResult } from 'lit'

import { MAX_CHOICE_CHARS, MAX_CHOICES, MAX_QUESTION_CHARS, share, type Poll } from '../room/polls'
import { Part } from './part'

const MIN_CHOICES = 2

/** `<studio-polls>` */
export class StudioPolls extends Part {
  #question = ''
  #choices: readonly string[] = ['', '']
  #isQuiz = false
  #right = 0

  protected override render(): TemplateResult {
    const { text, board } = this
    const polls = board.state.polls.toReversed()
    return html`<div class="scroll">
      ${this.#editor()}
      <h2>${text.polls}</h2>
      ${polls.length === 0 ? html`<p class="empty">${text.noPolls}</p>` : nothing}
      <ul>${polls.map((poll) => this.#poll(poll))}</ul>
    </div>`
  }

  #editor(): TemplateResult {
    const { text } = this
    return html`<h2>${text.newPoll}</h2>
      <form class="fields" @submit=${this.#start}>
        <input
          name="question" maxlength=${MAX_QUESTION_CHARS} required .value=${this.#question} placeholder=${text.pollQuestion}
          aria-label=${text.pollQuestion} @input=${(event: InputEvent) => (this.#question = (event.target as HTMLInputElement).value)}
        />
        ${this.#choices.map((choice, at) => this.#choice(choice, at))}
        <div class="line">
          <button type="button" class="act" ?disabled=${this.#choices.length >= MAX_CHOICES} @click=${() => this.#edit([...this.#choices, ''])}>
            ${text.addChoice}
          </button>
        </div>
        <label class="check">
          <input type="checkbox" .checked=${this.#isQuiz} @change=${this.#toggleQuiz} />${text.quiz}
        </label>
        <div class="line"><button class="solid">${text.start}</button><small>${text.startHint}</small></div>
      </form>`
  }

  #choice(choice: string, at: number): TemplateResult {
    const { text } = this
    return html`<div class="line">
      ${this.#isQuiz
        ? html`<input type="radio" name="right" aria-label=${text.right(at + 1)} .checked=${this.#right === at} @change=${() => (this.#right = at)} />`
        : nothing}
      <input
        name="choice" maxlength=${MAX_CHOICE_CHARS} required .value=${choice} placeholder=${text.choice(at + 1)} aria-label=${text.choice(at + 1)}
        @input=${(event: InputEvent) => (this.#choices = this.#choices.with(at, (event.target as HTMLInputElement).value))}
      />
      ${this.#choices.length > MIN_CHOICES
        ? html`<button type="button" class="act" aria-label=${text.removeChoice(at + 1)} @click=${() => this.#edit(this.#choices.toSpliced(at, 1))}>✕</button>`
        : nothing}
    </div>`
  }

  #poll(poll: Poll): TemplateResult {
    const { text } = this
    const stage = { open: text.pollOpen, locked: text.pollLocked, revealed: text.pollRevealed }[poll.stage]
    const act = (act: 'lock' | 'reveal' | 'remove'): void => this.say({ kind: 'poll', act, poll: poll.poll })
    return html`<li data-row data-poll=${poll.poll}>
      <p class="said"><span class="badge ${poll.stage === 'open' ? '' : 'calm'}">${stage}</span>${poll.question}</p>
      <ul class="bars">
        ${poll.choices.map((choice, at) => {
          const percent = Math.round(share(poll, at))
          return html`<li class="bar ${at === poll.correct ? 'correct' : ''}" style="--share: ${percent}%">
            <span>${at === poll.correct ? '✓ ' : ''}${choice}</span><b>${poll.votes ? `${percent} %` : '·'}</b>
          </li>`
        })}
      </ul>
      <small>${text.voters(poll.voters)}</small>
      <div class="acts">
        ${poll.stage === 'open' ? html`<button class="act" @click=${() => act('lock')}>${text.lock}</button>` : nothing}
        ${poll.stage !== 'revealed' ? html`<button class="act" @click=${() => act('reveal')}>${text.reveal}</button>` : nothing}
        <button class="act danger" @click=${() => act('remove')}>${text.remove}</button>
      </div>
    </li>`
  }

  #edit(choices: readonly string[]): void {
    this.#choices = choices
    this.#right = Math.min(this.#right, choices.length - 1)
    this.requestUpdate()
  }

  readonly #toggleQuiz = (event: Event): void => {
    this.#isQuiz = (event.target as HTMLInputElement).checked
    this.requestUpdate()
  }

  readonly #start = (event: Event): void => {
    event.preventDefault()
    const question = this.#question.trim()
    const choices = this.#choices.map((choice) => choice.trim())
    if (question === '' || choices.includes('')) return
    this.say({ kind: 'poll', act: 'open', question, choices, ...(this.#isQuiz ? { correct: this.#right } : {}) })
    this.#question = ''
    this.#isQuiz = false
    this.#right = 0
    this.#edit(['', ''])
  }
}

customElements.define('studio-polls', StudioPolls)
