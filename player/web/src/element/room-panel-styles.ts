/** How the panel beside the picture looks. */

import { css } from 'lit'

import { cardPictureStyles } from './card-picture'

export const panelStyles = css`
  ${cardPictureStyles}
  :host { display: flex; flex-direction: column; position: relative; min-block-size: 0; min-inline-size: 0; }
  .grow { flex: 1; }
  .unseen { position: absolute; inline-size: 1px; block-size: 1px; margin: -1px; overflow: hidden; clip-path: inset(50%); white-space: nowrap; }
  .panel-body { display: flex; flex-direction: column; block-size: 100%; position: relative; background: var(--raised); color: var(--ink); }
  header, [role='tablist'] { display: flex; min-inline-size: 0; }
  [role='tablist'] { gap: 4px; overflow-x: auto; scrollbar-width: none; }
  header { align-items: center; gap: 4px; padding: 12px 14px 8px; border-block-end: 1px solid var(--line); }
  [role='tab'] { flex: none; padding: 6px 12px; min-block-size: 36px; border-radius: 12px; font-size: 14px; font-weight: 600; color: var(--soft); }
  [role='tab'][aria-selected='true'] { background: var(--hover); color: var(--ink); }
  .fresh::after { content: ''; display: inline-block; inline-size: 7px; block-size: 7px; margin-inline-start: 6px; border-radius: 50%; background: var(--live); vertical-align: 2px; }
  .watching { margin-inline-start: auto; font-size: 12px; color: var(--soft); font-variant-numeric: tabular-nums; white-space: nowrap; }
  .notice { margin: 10px 14px 0; padding: 10px 14px; border-radius: 12px; background: var(--hover); font-size: 13.5px; overflow-wrap: anywhere; }
  .list { flex: 1; min-block-size: 0; overflow-y: auto; margin: 0; padding: 12px 14px; list-style: none; overscroll-behavior: contain; }
  li { position: relative; padding: 5px 8px; border-radius: 10px; font-size: 14px; line-height: 1.5; }
  li p { margin: 0; overflow-wrap: anywhere; unicode-bidi: isolate; }
  li b { color: var(--soft); font-weight: 600; margin-inline-end: 4px; }
  li.mine b { color: var(--accent); }
  li em { font-style: normal; font-size: 11px; font-weight: 700; padding: 1px 6px; margin-inline-end: 4px; border-radius: 6px; color: var(--live); border: 1px solid currentcolor; }
  li:hover { background: var(--hover); }
  li.own { opacity: 0.75; }
  .empty { color: var(--soft); text-align: center; padding-block: 40px; }
  small { color: var(--soft); font-size: 12px; }
  .failed { color: var(--live); font-size: 12.5px; margin: 0; padding-inline: 16px; }
  blockquote { margin: 0; padding-inline-start: 8px; border-inline-start: 2px solid var(--line); color: var(--soft); font-size: 12.5px; overflow: hidden; text-overflow: ellipsis; white-space: nowrap; }
  .reply { position: absolute; inset-block-start: 4px; inset-inline-end: 6px; padding: 2px 8px; border-radius: 8px; background: var(--raised); color: var(--accent); font-size: 12px; opacity: 0; }
  li:hover .reply, .reply:focus-visible { opacity: 1; }
  @media (hover: none) { .reply { opacity: 0.6; background: none; } }
  .below { position: absolute; inset-block-end: 12px; inset-inline-start: 50%; translate: -50%; padding: 7px 16px; border-radius: 18px; background: var(--ink); color: var(--raised); font-size: 13px; font-weight: 600; box-shadow: var(--shadow); }
  .question { display: flex; gap: 12px; padding-block: 10px; }
  .question p { display: grid; }
  .question.onScreen { background: var(--hover); }
  .vote { flex: none; align-self: start; min-inline-size: 52px; min-block-size: 36px; border-radius: 12px; border: 1px solid var(--line); font-size: 13px; font-variant-numeric: tabular-nums; }
  .vote[aria-pressed='true'] { color: var(--accent); border-color: currentcolor; }
  .poll { display: grid; gap: 8px; padding-block: 10px 16px; }
  .poll h3 { margin: 0; font-size: 15px; }
  .choice { display: flex; justify-content: space-between; gap: 12px; min-block-size: 44px; align-items: center; padding-inline: 14px; border-radius: 12px; border: 1px solid var(--line); text-align: start; background: linear-gradient(to right, var(--hover) var(--share), transparent var(--share)); }
  .choice[aria-pressed='true'] { border-color: var(--accent); }
  .choice.correct { border-color: light-dark(#1d7f43, #5bd68a); }
  .choice small { display: block; }
  .product { display: flex; align-items: center; gap: 12px; padding-block: 8px; }
  .product p { flex: 1; min-inline-size: 0; display: grid; }
  .buy { flex: none; display: grid; place-items: center; min-block-size: 40px; padding-inline: 14px; border-radius: 12px; border: 1px solid var(--line); color: var(--accent); font-weight: 600; font-size: 13.5px; text-decoration: none; }
  .me { display: flex; align-items: center; gap: 6px; padding: 6px 12px 0; border-block-start: 1px solid var(--line); }
  .me form { flex: 1; flex-wrap: nowrap; padding: 0; border: 0; }
  .me input { order: 0; flex: 1; min-block-size: 40px; }
  .name { max-inline-size: 100%; overflow: hidden; text-overflow: ellipsis; white-space: nowrap; }
  .quiet { min-block-size: 36px; padding-inline: 10px; border-radius: 11px; font-size: 13px; font-weight: 600; color: var(--soft); white-space: nowrap; }
  .quiet:hover { background: var(--hover); }
  .quiet:is([aria-pressed='true'], [aria-checked='true']) { color: var(--accent); background: var(--hover); }
  .again { color: var(--accent); font-size: 12.5px; font-weight: 600; padding-inline: 6px; min-block-size: 30px; }
  .left { margin: 0; padding-inline: 16px; font-size: 12px; color: var(--soft); text-align: end; }
  .style { display: flex; flex-wrap: wrap; justify-content: space-between; gap: 4px 10px; padding: 4px 14px 0; }
  .style > div { display: flex; align-items: center; gap: 2px; }
  .colour { inline-size: 34px; block-size: 36px; display: grid; place-items: center; }
  .colour::before { content: ''; inline-size: 20px; block-size: 20px; border-radius: 50%; background: var(--colour); border: 1px solid light-dark(rgb(0 0 0 / 35%), rgb(255 255 255 / 35%)); }
  .colour[aria-checked='true']::before { box-shadow: 0 0 0 2px var(--raised), 0 0 0 4px var(--accent); }
  :host(room-reactions) { flex-direction: row; align-items: center; position: relative; }
  .faces { position: absolute; inset-block-end: calc(100% + 8px); inset-inline-start: 0; display: flex; gap: 2px; padding: 6px; border-radius: 16px; background: var(--raised); border: 1px solid var(--line); box-shadow: var(--shadow); z-index: 2; }
  .faces button { inline-size: 44px; block-size: 44px; border-radius: 12px; font-size: 22px; }
  .faces button:hover { background: var(--hover); }
  .more { inline-size: 36px; min-block-size: 44px; border-radius: 12px; font-size: 17px; color: var(--soft); }
  .answering span { overflow: hidden; text-overflow: ellipsis; white-space: nowrap; }
  .answering { display: flex; margin: 0; padding: 6px 16px; font-size: 12.5px; color: var(--soft); }
  .answering button { margin-inline-start: auto; }
  form { display: flex; flex-wrap: wrap; align-items: center; gap: 6px; padding: 6px 12px max(12px, env(safe-area-inset-bottom)); }
  input { order: -1; flex: 1 0 100%; min-inline-size: 0; min-block-size: 44px; padding-inline: 14px; border-radius: 14px; border: 1px solid var(--line); background: none; color: inherit; font: inherit; font-size: 16px; }
  input::placeholder { color: var(--soft); }
  .send, .over, .like { flex: none; min-block-size: 44px; padding-inline: 12px; border-radius: 14px; font-size: 13.5px; font-weight: 600; white-space: nowrap; }
  .send { background: var(--ink); color: var(--raised); }
  .over { border: 1px solid var(--line); color: var(--soft); }
  .over[aria-pressed='true'] { border-color: var(--accent); color: var(--accent); }
  .send { margin-inline-start: auto; }
  .send:disabled { opacity: 0.5; cursor: default; font-variant-numeric: tabular-nums; }
  .like { color: var(--live); font-variant-numeric: tabular-nums; }
`
