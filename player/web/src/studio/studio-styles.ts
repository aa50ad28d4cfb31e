/** How the studio is laid out: picture, chat and work side by side, or one over the other on a phone. */

import { css } from 'lit'

export const studioStyles = css`
  :host { display: block; block-size: 100dvh; color: var(--ink); background: var(--ground); font-family: system-ui, -apple-system, 'Segoe UI', Roboto, 'Noto Sans', 'Noto Sans CJK SC', 'PingFang SC', 'Microsoft YaHei', sans-serif; font-size: 15px; line-height: 1.4; }
  .studio { display: grid; block-size: 100%; grid-template: 'header header header' auto 'picture chat work' auto 'order chat work' minmax(0, 1fr) / minmax(0, 1.15fr) minmax(280px, 0.9fr) minmax(320px, 1fr); gap: 0 12px; padding: 0 12px 12px; }
  header { grid-area: header; display: flex; flex-wrap: wrap; align-items: center; gap: 8px 20px; padding: 12px 6px; }
  h1 { margin: 0; font-size: 18px; font-weight: 700; overflow-wrap: anywhere; }
  h1 small { margin-inline-start: 8px; font-size: 12.5px; font-weight: 500; color: var(--soft); }
  dl { display: flex; flex-wrap: wrap; gap: 4px 22px; margin: 0; margin-inline-start: auto; }
  dl div { display: flex; align-items: baseline; gap: 6px; }
  dt { order: 1; font-size: 12px; color: var(--soft); }
  dd { margin: 0; font-weight: 650; font-variant-numeric: tabular-nums; }
  a { color: var(--accent); font-size: 13.5px; }
  select, .act { min-block-size: 36px; padding-inline: 10px; border-radius: 11px; border: 1px solid var(--line); background: var(--raised); color: inherit; font: inherit; font-size: 13px; }
  .picture, .chat, .work, .order { border: 1px solid var(--line); border-radius: 18px; overflow: hidden; min-block-size: 0; min-inline-size: 0; background: var(--raised); }
  .picture { grid-area: picture; align-self: start; }
  .order { grid-area: order; margin-block-start: 12px; }
  live-room { display: block; inline-size: 100%; aspect-ratio: 16 / 9; min-block-size: 0; }
  .chat { grid-area: chat; display: grid; }
  .work { grid-area: work; }
  .work, .order { display: grid; grid-template-rows: auto auto minmax(0, 1fr); }
  :is(.work, .order) > :last-child { grid-row: 3; }
  .whole { grid-column: 1 / -1; border-radius: 18px; overflow: hidden; }
  nav { display: flex; gap: 2px; padding: 8px; overflow-x: auto; border-block-end: 1px solid var(--line); scrollbar-width: none; }
  [role='tab'] { flex: none; min-block-size: 38px; padding-inline: 12px; border-radius: 12px; font-size: 14px; font-weight: 600; color: var(--soft); }
  [role='tab'][aria-selected='true'] { background: var(--hover); color: var(--ink); }
  .count { margin-inline-start: 6px; padding: 1px 7px; border-radius: 9px; font-size: 11.5px; background: var(--live); color: light-dark(#fff, #1b1d22); }
  .note { margin: 10px 14px 0; padding: 9px 14px; border-radius: 12px; background: var(--hover); font-size: 13.5px; overflow-wrap: anywhere; }
  .failed { color: var(--live); }
  .unseen { position: absolute; inline-size: 1px; block-size: 1px; margin: -1px; overflow: hidden; clip-path: inset(50%); white-space: nowrap; }
  .alone { display: grid; place-content: center; block-size: 100%; padding: 24px; text-align: center; }
  @media (max-width: 979.9px) {
    .studio { grid-template: 'header' auto 'picture' auto 'work' minmax(0, 1fr) / minmax(0, 1fr); gap: 8px; padding: 0 0 env(safe-area-inset-bottom); }
    header { padding: 8px 14px 0; gap: 6px 14px; }
    dl { order: 1; inline-size: 100%; margin: 0; gap: 2px 16px; }
    .picture { border-radius: 0; border-inline: 0; }
    live-room { aspect-ratio: 16 / 9; max-block-size: 34dvh; min-block-size: 0; }
    .work { border-radius: 18px 18px 0 0; border-inline: 0; border-block-end: 0; }
    [role='tab'], select, .act { min-block-size: 44px; }
  }
`
