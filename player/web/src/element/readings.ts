/** The statistics overlay. */

import { css, html, LitElement, type TemplateResult } from 'lit'

import type { Strings } from '../i18n'
import type { Statistics } from '../statistics'
import { act } from './action'
import * as icons from './icons'
import { shapes, tokens } from './theme'

/** `<live-room-readings>` */
export class Readings extends LitElement {
  static override properties = { strings: { attribute: false }, statistics: { attribute: false } }
  declare strings: Strings
  declare statistics: Statistics

  static override styles = [
    tokens,
    shapes,
    css`
      :host {
        display: block;
        color-scheme: dark;
      }

      /* It lies over any picture: dark and all but opaque, whatever the page's scheme. */
      .readings {
        background: rgb(18 19 22 / 98%);
        padding: 10px 12px 12px 18px;
        inline-size: 100%;
        font-size: 12.5px;
        line-height: 1.5;
      }

      header {
        display: flex;
        align-items: center;
        justify-content: space-between;
        font-weight: 600;
        font-size: 13px;
      }

      header .icon-button {
        inline-size: 36px;
        block-size: 36px;
      }

      dl {
        display: grid;
        grid-template-columns: auto 1fr;
        gap: 3px 16px;
        margin: 0;
        padding-inline-end: 6px;
      }

      dt {
        color: var(--soft);
      }

      dd {
        margin: 0;
        text-align: end;
        font-variant-numeric: tabular-nums;
        font-weight: 500;
        overflow-wrap: anywhere;
      }
    `,
  ]

  protected override render(): TemplateResult {
    const { strings: text, statistics: now } = this
    const rows: readonly (readonly [string, string])[] = [
      [text.statLatency, now.latencyMs ? `${ms(now.latencyMs.p50)} / ${ms(now.latencyMs.p95)}` : '–'],
      [text.statGlass, now.glassToGlass ? `${ms(now.glassToGlass.p50)} / ${ms(now.glassToGlass.p95)}` : '–'],
      [text.statTarget, ms(now.targetMs)],
      [text.statBuffer, `${ms(now.bufferMs)} / ${ms(now.audioBufferMs)}`],
      [text.statLipSync, ms(now.lipSyncMs)],
      [text.statSpeed, `${now.rate.toFixed(3)} ×`],
      [text.statBitrate, `${(now.bitrate / 1e6).toFixed(2)} Mbit/s`],
      [text.statFps, `${now.fps.toFixed(1)} / s`],
      [text.statFrames, String(now.framesShown)],
      [text.statDropped, `${now.framesDropped} / ${now.framesLate}`],
      [text.statGroups, String(now.groupsSkipped)],
      [text.statCodec, [now.codec, now.audioCodec].filter(Boolean).join(' · ') || '–'],
      [text.statRendition, now.rendition ? `${now.rendition} · ${now.width}×${now.height}` : '–'],
      [text.statProtocol, now.protocol ?? '–'],
      [text.statStartup, ms(now.startupMs)],
      [text.statRebuffering, `${now.rebufferings} × · ${ms(now.rebufferingMs)}`],
    ]
    return html`
      <section class="readings panel" aria-label=${text.statistics}>
        <header>
          ${text.statistics}
          <button class="icon-button" aria-label=${text.close} @click=${() => act(this, { type: 'statistics' })}>
            ${icons.close}
          </button>
        </header>
        <dl>
          ${rows.map(([name, value]) => html`<dt>${name}</dt><dd>${value}</dd>`)}
        </dl>
      </section>
    `
  }
}

function ms(value: number | null): string {
  return value === null ? '–' : `${Math.round(value)} ms`
}

customElements.define('live-room-readings', Readings)
