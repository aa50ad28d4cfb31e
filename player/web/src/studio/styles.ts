/** How the parts of the studio look. */

import { css } from 'lit'

import { cardPictureStyles } from '../element/card-picture'

export const partStyles = css`
  ${cardPictureStyles}
  :host { display: flex; flex-direction: column; min-block-size: 0; min-inline-size: 0; block-size: 100%; color: var(--ink); background: var(--raised); font-size: 14px; line-height: 1.5; }
  .scroll { flex: 1; min-block-size: 0; overflow-y: auto; overscroll-behavior: contain; padding: 12px 16px 20px; }
  h2 { margin: 18px 0 8px; font-size: 12px; font-weight: 700; letter-spacing: 0.04em; color: var(--soft); }
  h2:first-child { margin-block-start: 4px; }
  ul, ol { list-style: none; margin: 0; padding: 0; }
  p { margin: 0; }
  .empty { color: var(--soft); padding-block: 28px; text-align: center; text-wrap: balance; }
  .soft, small { color: var(--soft); font-size: 12.5px; }
  .failed { color: var(--live); font-size: 12.5px; }
  [data-row] { position: relative; padding: 8px 10px; margin-inline: -10px; border-radius: 12px; outline-offset: -2px; }
  [data-row]:is(:hover, :focus-within) { background: var(--hover); }
  .said { overflow-wrap: anywhere; unicode-bidi: isolate; }
  .said b { font-weight: 600; color: var(--soft); margin-inline-end: 6px; }
  .badge { display: inline-block; font-size: 11px; font-weight: 700; padding: 1px 7px; border-radius: 7px; color: var(--live); border: 1px solid currentcolor; margin-inline-end: 6px; }
  .badge.calm { color: var(--soft); }
  .acts { display: flex; flex-wrap: wrap; gap: 6px; margin-block-start: 6px; }
  .acts.quiet { display: none; }
  [data-row]:is(:hover, :focus-within) .acts.quiet { display: flex; }
  .act, .solid { min-block-size: 34px; padding-inline: 12px; border-radius: 11px; border: 1px solid var(--line); font-size: 13px; font-weight: 600; background: var(--raised); }
  .act:hover { background: var(--hover); }
  .act:disabled, .solid:disabled { opacity: 0.45; cursor: default; }
  .act.danger { color: var(--live); }
  .act[aria-pressed='true'] { border-color: var(--accent); color: var(--accent); }
  .solid { background: var(--ink); color: var(--raised); border-color: transparent; }
  kbd { font: inherit; font-size: 11px; font-weight: 700; color: var(--soft); margin-inline-start: 4px; }
  @media (hover: none) { kbd { display: none; } .act, .solid { min-block-size: 44px; } }
  label { display: grid; gap: 4px; font-size: 13px; font-weight: 600; }
  input:not([type='checkbox'], [type='radio'], [type='range']), textarea, select { inline-size: 100%; min-block-size: 42px; padding: 9px 12px; border-radius: 12px; border: 1px solid var(--line); background: var(--raised); color: inherit; font: inherit; font-size: 16px; }
  textarea { min-block-size: 110px; resize: vertical; }
  input[type='checkbox'], input[type='radio'] { inline-size: 18px; block-size: 18px; margin: 0; accent-color: var(--accent); flex: none; }
  .check { display: flex; align-items: center; gap: 10px; min-block-size: 40px; font-weight: 500; cursor: pointer; }
  .fields { display: grid; gap: 10px; padding: 14px; border: 1px solid var(--line); border-radius: 16px; }
  .line { display: flex; align-items: center; gap: 8px; }
  .line > label, .line > input { flex: 1; }
  .segments { display: flex; flex-wrap: wrap; gap: 6px; }
  .bar { display: flex; justify-content: space-between; gap: 12px; padding: 8px 12px; border-radius: 10px; border: 1px solid var(--line); background: linear-gradient(to right, var(--hover) var(--share), transparent var(--share)); overflow-wrap: anywhere; }
  .bar.correct { border-color: light-dark(#1d7f43, #5bd68a); }
  .bars { display: grid; gap: 5px; margin-block: 8px; }
  .composer { display: flex; gap: 8px; padding: 10px 14px max(12px, env(safe-area-inset-bottom)); border-block-start: 1px solid var(--line); }
  .composer input { flex: 1; min-inline-size: 0; }
  .card { display: grid; grid-template-columns: auto minmax(0, 1fr); gap: 12px; align-items: center; }
  .card b { display: block; overflow-wrap: anywhere; }
`
