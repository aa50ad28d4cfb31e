/** Beside the picture: chat, questions and polls of the room, and what a viewer writes. */

import { html, LitElement, nothing, type PropertyValues, type TemplateResult } from 'lit'

import type { Strings } from '../i18n'
import type { Board } from '../room/board'
import { MAX_CHARS as CHAT_CHARS, type Message } from '../room/chat'
import { MAX_CHARS as BULLET_CHARS } from '../room/danmaku'
import { share, type Poll } from '../room/polls'
import { MAX_CHARS as QUESTION_CHARS, sorted } from '../room/questions'
import type { Refusal, Say } from '../room/say'
import { panelStyles } from './room-panel-styles'
import { shapes, tokens } from './theme'

type Tab = 'chat' | 'questions' | 'polls'

/** Pixels from the bottom within which the list sticks to it. */
const NEAR = 48

/**
 * `<live-room-panel>`
 * @fires live-room-say - something is to be said; `detail` is it.
 */
export class RoomPanel extends LitElement {
  static override properties = { strings: { attribute: false }, board: { attribute: false } }
  declare strings: Strings
  declare board: Board
  static override styles = [tokens, shapes, panelStyles]

  #tab: Tab = 'chat'
  #draft = ''
  #over = false
  #reply: Message | null = null
  #sticks = true
  #unseen = 0

  protected override willUpdate(changed: PropertyValues<this>): void {
    const before = changed.get('board')?.messages
    if (before && before !== this.board.messages && !this.#sticks) {
      const last = before.at(-1)?.message ?? -1
      this.#unseen += this.board.messages.filter(({ message }) => message > last).length
    }
  }

  protected override updated(): void {
    const list = this.renderRoot.querySelector('.list')
    if (list && this.#sticks) list.scrollTop = list.scrollHeight
  }

  protected override render(): TemplateResult {
    const { strings: text, board } = this
    const { features } = board.state.mode
    const tabs = (['chat', 'questions', 'polls'] as const).filter((tab) => features[tab])
    const tab = tabs.includes(this.#tab) ? this.#tab : tabs[0]
    return html`
      <section class="panel-body" aria-label=${text.room}>
        <header role="tablist" aria-label=${text.room}>
          ${tabs.map(
            (one) => html`<button role="tab" aria-selected=${String(one === tab)} @click=${() => this.#turn(one)}>${text[one]}</button>`,
          )}
          <span class="watching">${text.watching(board.state.presence.watching)}</span>
        </header>
        ${board.state.notice ? html`<p class="notice" role="note">${board.state.notice.text}</p>` : nothing}
        ${board.link === 'lost' ? html`<p class="notice" role="status">${text.roomLost}</p>` : nothing}
        ${board.link === 'denied' ? html`<p class="notice" role="status">${text.roomDenied}</p>` : nothing}
        ${tab === 'questions' ? this.#questions() : tab === 'polls' ? this.#polls() : this.#chat()}
        ${tab === undefined || tab === 'polls' ? nothing : this.#composer(tab)}
      </section>
    `
  }

  #chat(): TemplateResult {
    const { strings: text, board } = this
    const own = board.own.filter(({ say }) => say.kind === 'chat')
    return html`
      <ol class="list" role="log" aria-live="off" aria-label=${text.chat} tabindex="0" @scroll=${this.#scrolled}>
        ${board.messages.length + own.length === 0 ? html`<li class="empty">${text.noChat}</li>` : nothing}
        ${board.messages.map((message) => this.#message(message))}
        ${own.map(
          ({ say, refusal }) => html`<li class="own">
            <p>${say.text}</p>
            <small class=${refusal ? 'failed' : ''}>${refusal ? refused(text, refusal) : text.sending}</small>
          </li>`,
        )}
      </ol>
      ${this.#unseen > 0 ? html`<button class="below" @click=${this.#toBottom}>${text.newBelow(this.#unseen)}</button>` : nothing}
    `
  }

  #message(message: Message): TemplateResult {
    const { strings: text, board } = this
    const isOwn = message.viewer === board.you?.viewer
    return html`<li class=${isOwn ? 'mine' : ''}>
      ${message.replyTo ? html`<blockquote>${message.replyTo.name}: ${message.replyTo.text}</blockquote>` : nothing}
      <p>
        <b>${message.name}</b>
        ${message.role === 'viewer' ? nothing : html`<em>${message.role === 'host' ? text.host : text.moderator}</em>`}
        <span>${message.text}</span>
      </p>
      <button class="reply" aria-label="${text.reply}: ${message.name}" @click=${() => this.#answer(message)}>${text.reply}</button>
    </li>`
  }

  #questions(): TemplateResult {
    const { strings: text, board } = this
    const questions = sorted(board.state.questions, 'votes')
    return html`<ol class="list" aria-label=${text.questions} tabindex="0">
      ${questions.length === 0 ? html`<li class="empty">${text.noQuestions}</li>` : nothing}
      ${questions.map(({ question, text: asked, name, votes, stage }) => {
        const voted = board.you?.upvotes.includes(question) ?? false
        return html`<li class="question ${stage}">
          <button
            class="vote"
            aria-label=${text.upvote}
            aria-pressed=${String(voted)}
            ?disabled=${voted || stage === 'answered'}
            @click=${() => this.#say({ kind: 'upvote', question })}
          >
            ▲ ${votes}
          </button>
          <p><span>${asked}</span><small>${name}${stage === 'answered' ? ` · ${text.answered}` : ''}</small></p>
        </li>`
      })}
    </ol>`
  }

  #polls(): TemplateResult {
    const { strings: text, board } = this
    const polls = board.state.polls.toReversed()
    return html`<ol class="list" aria-label=${text.polls} tabindex="0">
      ${polls.length === 0 ? html`<li class="empty">${text.noPolls}</li>` : nothing}
      ${polls.map((poll) => html`<li class="poll"><h3>${poll.question}</h3>${this.#choices(poll)}<small>${text.voters(poll.voters)}</small></li>`)}
    </ol>`
  }

  #choices(poll: Poll): TemplateResult[] {
    const chosen = this.board.you?.votes.find((vote) => vote.poll === poll.poll)?.choice ?? null
    return poll.choices.map((choice, at) => {
      const percent = Math.round(share(poll, at))
      return html`<button
        class="choice ${at === poll.correct ? 'correct' : ''}"
        aria-pressed=${String(at === chosen)}
        ?disabled=${poll.stage !== 'open' || chosen !== null}
        style="--share: ${percent}%"
        @click=${() => this.#say({ kind: 'vote', poll: poll.poll, choice: at })}
      >
        <span>${at === poll.correct ? '✓ ' : ''}${choice}</span>${poll.votes ? html`<b>${percent} %</b>` : nothing}
      </button>`
    })
  }

  #composer(tab: 'chat' | 'questions'): TemplateResult {
    const { strings: text, board } = this
    const { features } = board.state.mode
    const over = tab === 'chat' && this.#over && features.danmaku
    const max = tab === 'questions' ? QUESTION_CHARS : over ? BULLET_CHARS : CHAT_CHARS
    const placeholder = tab === 'questions' ? text.ask : over ? text.sayOver : text.say
    const refusal = board.own.findLast(({ say, refusal }) => refusal !== null && say.kind !== 'chat')?.refusal ?? board.refusal
    return html`
      ${this.#reply && tab === 'chat'
        ? html`<p class="answering">${this.#reply.name}: ${this.#reply.text}
            <button aria-label=${text.close} @click=${() => this.#answer(null)}>✕</button></p>`
        : nothing}
      ${refusal ? html`<p class="failed" role="status">${refused(text, refusal)}</p>` : nothing}
      <form @submit=${(event: Event) => this.#submit(event, tab, over)}>
        ${tab === 'chat' && features.danmaku
          ? html`<button type="button" class="over" aria-pressed=${String(over)} @click=${this.#toggleOver}>${text.overPicture}</button>`
          : nothing}
        <input
          .value=${this.#draft}
          maxlength=${max}
          placeholder=${placeholder}
          aria-label=${placeholder}
          autocomplete="off"
          @input=${(event: Event) => (this.#draft = (event.target as HTMLInputElement).value)}
        />
        <button class="send" ?disabled=${board.link === 'denied'}>${text.send}</button>
        ${features.reactions
          ? html`<button type="button" class="like" aria-label=${text.like} @click=${this.#like}>♥ ${board.tally.totals.like ?? 0}</button>`
          : nothing}
      </form>
    `
  }

  #submit(event: Event, tab: 'chat' | 'questions', over: boolean): void {
    event.preventDefault()
    const said = this.#draft.trim()
    if (said === '') return
    if (tab === 'questions') this.#say({ kind: 'ask', text: said })
    else if (over) this.#say({ kind: 'danmaku', text: said, color: '#ffffff', mode: 'scroll' })
    else this.#say({ kind: 'chat', text: said, ...(this.#reply ? { replyTo: this.#reply.message } : {}) })
    this.#draft = ''
    // The field was typed into since it was drawn: drawing it empty again would change nothing.
    const field = this.renderRoot.querySelector('input')
    if (field) field.value = ''
    this.#reply = null
    this.#sticks = true
    this.requestUpdate()
  }

  #say(say: Say): void {
    this.dispatchEvent(new CustomEvent<Say>('live-room-say', { detail: say, bubbles: true, composed: true }))
  }

  readonly #like = (): void => {
    this.dispatchEvent(new CustomEvent('live-room-tap', { detail: 'like', bubbles: true, composed: true }))
  }

  readonly #toggleOver = (): void => {
    this.#over = !this.#over
    this.requestUpdate()
  }

  #turn(tab: Tab): void {
    this.#tab = tab
    this.requestUpdate()
  }

  #answer(message: Message | null): void {
    this.#reply = message
    this.requestUpdate()
    this.renderRoot.querySelector('input')?.focus()
  }

  readonly #scrolled = (event: Event): void => {
    const list = event.target as HTMLElement
    this.#sticks = list.scrollHeight - list.scrollTop - list.clientHeight < NEAR
    if (!this.#sticks || this.#unseen === 0) return
    this.#unseen = 0
    this.requestUpdate()
  }

  readonly #toBottom = (): void => {
    this.#sticks = true
    this.#unseen = 0
    this.requestUpdate()
  }
}

/** A refusal in words. */
export function refused(text: Strings, { why, seconds, max }: Refusal): string {
  const wait = Math.max(Math.ceil(seconds), 1)
  switch (why) {
    case 'tooFast':
    case 'busy':
      return text.waitSeconds(wait)
    case 'muted':
      return text.refusedMuted(wait)
    case 'banned':
      return text.refusedBanned
    case 'tooLong':
      return text.refusedLong(max)
    case 'blockedWord':
    case 'badText':
    case 'badLink':
    case 'emotesOnly':
    case 'membersOnly':
      return text.refusedText
    case 'off':
    case 'closed':
      return text.refusedOff
    case 'again':
      return text.refusedAgain
    case 'waiting':
      return text.refusedWaiting
    case 'unanswered':
      return text.refusedUnanswered
    default:
      return text.refusedOther
  }
}

customElements.define('live-room-panel', RoomPanel)
