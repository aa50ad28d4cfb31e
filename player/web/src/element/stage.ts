/** How the room is laid out: a frame for the picture, its light around it, controls below. */

import { css } from 'lit'

export const stageStyles = css`
  :host {
    display: block;
    position: relative;
    aspect-ratio: 16 / 9;
    min-block-size: 200px;
    color: var(--ink);
    background: var(--ground);
    font-family:
      system-ui, -apple-system, 'Segoe UI', Roboto, 'Noto Sans', 'Noto Sans CJK SC', 'Noto Sans SC', 'PingFang SC',
      'Microsoft YaHei', sans-serif;
    font-size: 15px;
    line-height: 1.4;
    overflow: clip;
    container: room / size;
    -webkit-text-size-adjust: 100%;
  }

  :host(:fullscreen) {
    aspect-ratio: auto;
    background: #000;
  }

  .room {
    position: absolute;
    inset: 0;
    display: grid;
    grid-template: 'top' auto 'frame' minmax(0, 1fr) 'bottom' auto / minmax(0, 1fr);
    isolation: isolate;
    outline: none;
  }

  .ambient {
    position: absolute;
    inset: -4%;
    inline-size: 108%;
    block-size: 108%;
    z-index: -1;
    opacity: 0;
    transition: opacity 1.6s ease;
    pointer-events: none;
    mask-image: radial-gradient(closest-side, #000 20%, transparent 100%);
  }

  .ambient.lit {
    opacity: 0.28;
  }

  .top {
    grid-area: top;
    display: flex;
    align-items: center;
    min-block-size: 60px;
    padding: max(6px, env(safe-area-inset-top)) max(24px, env(safe-area-inset-right)) 0
      max(24px, env(safe-area-inset-left));
  }

  .name {
    font-weight: 600;
    font-size: 16px;
    letter-spacing: -0.005em;
    overflow: hidden;
    text-overflow: ellipsis;
    white-space: nowrap;
  }

  .frame {
    grid-area: frame;
    position: relative;
    display: grid;
    place-items: center;
    margin-inline: 24px;
    container: frame / size;
  }

  .frame > * {
    grid-area: 1 / 1;
  }

  .picture {
    inline-size: min(100cqi, 100cqb * var(--aspect));
    aspect-ratio: var(--aspect);
    border-radius: 14px;
    background: light-dark(rgb(29 31 35 / 5%), rgb(241 239 233 / 4%));
    transition: box-shadow var(--calm);
  }

  .picture.shown {
    background: #000;
    box-shadow:
      0 0 0 1px var(--line),
      0 24px 80px rgb(0 0 0 / 26%);
  }

  .danmaku {
    inline-size: min(100cqi, 100cqb * var(--aspect));
    aspect-ratio: var(--aspect);
    z-index: 1;
    pointer-events: none;
  }

  .overlay {
    inline-size: min(100cqi, 100cqb * var(--aspect));
    aspect-ratio: var(--aspect);
    z-index: 1;
  }

  .side {
    display: none;
    grid-area: side;
    min-block-size: 0;
    border-inline-start: 1px solid var(--line);
  }

  .social .side {
    display: block;
  }

  .room.social {
    grid-template:
      'top side' auto 'frame side' minmax(0, 1fr) 'bottom side' auto / minmax(0, 1fr) minmax(300px, 360px);
  }

  @container room (max-width: 860px) {
    .room.social {
      grid-template:
        'top' auto 'frame' minmax(0, 56cqi) 'bottom' auto 'side' minmax(0, 1fr) / minmax(0, 1fr);
    }
  }

  .veil {
    inline-size: min(100cqi, 100cqb * var(--aspect));
    aspect-ratio: var(--aspect);
    min-block-size: min(100%, 300px);
    display: grid;
    place-items: center;
    border-radius: 14px;
    opacity: 0;
    pointer-events: none;
    transition: opacity var(--calm);
    container-type: inline-size;
  }

  .veil.on {
    opacity: 1;
    pointer-events: auto;
  }

  /* Over a picture words are light on dark, whatever the page's scheme. */
  .veil.over {
    background: rgb(11 12 14 / 82%);
    color-scheme: dark;
    color: #f1efe9;
  }

  .room[data-state='buffering'] .veil.over {
    background: rgb(0 0 0 / 45%);
    transition-delay: 250ms;
  }

  .tap {
    align-self: end;
    margin-block-end: calc((100cqb - min(100cqb, 100cqi / var(--aspect))) / 2 + 18px);
    display: inline-flex;
    align-items: center;
    gap: 10px;
    min-block-size: 48px;
    padding-inline: 16px 22px;
    border-radius: 24px;
    font-weight: 600;
    font-size: 15px;
    animation: rise var(--calm) both;
  }

  .bottom {
    grid-area: bottom;
    position: relative;
    z-index: 3;
    display: grid;
    justify-content: center;
    padding: 14px max(12px, env(safe-area-inset-right)) max(16px, env(safe-area-inset-bottom))
      max(12px, env(safe-area-inset-left));
  }

  live-room-dock {
    inline-size: min(720px, 100cqi - 24px);
  }

  live-room-menu {
    position: absolute;
    inset-block-end: calc(100% - 6px);
    inset-inline-end: max(12px, (100% - 720px) / 2);
    inline-size: 304px;
    max-inline-size: calc(100% - 24px);
    max-block-size: calc(100cqb - 110px);
    animation: rise var(--quick) both;
  }

  .readings {
    place-self: start;
    z-index: 2;
    inline-size: 340px;
    max-inline-size: calc(100% - 24px);
    max-block-size: 100cqb;
    overflow-y: auto;
    border-radius: 20px;
    margin-inline-start: calc((100cqi - min(100cqi, 100cqb * var(--aspect))) / 2 + 16px);
    margin-block-start: calc((100cqb - min(100cqb, 100cqi / var(--aspect))) / 2 + 30px);
    animation: rise var(--quick) both;
  }

  .modal {
    position: absolute;
    inset: 0;
    z-index: 4;
    display: grid;
    place-items: center;
    padding: 16px;
    background: rgb(0 0 0 / 32%);
  }

  .announce {
    position: absolute;
    inline-size: 1px;
    block-size: 1px;
    margin: -1px;
    overflow: hidden;
    clip-path: inset(50%);
    white-space: nowrap;
  }

  @keyframes rise {
    from {
      opacity: 0;
      translate: 0 8px;
    }
  }

  @container room (max-width: 560px) {
    .frame {
      margin-inline: 0;
    }

    .picture,
    .veil {
      border-radius: 0;
    }

    .picture:not(.shown) {
      background: none;
    }

    .veil {
      padding-inline: 12px;
    }

    .top {
      padding-inline: max(18px, env(safe-area-inset-left));
    }

    .readings {
      inline-size: auto;
      justify-self: stretch;
      margin: 0 12px;
    }

    .reading .tap {
      display: none;
    }

    live-room-menu {
      inset-inline: 12px;
      inline-size: auto;
    }
  }

  /* Low rooms (an embedded player, a phone on its side): the picture takes it all, controls lie over it. */
  @container room (max-height: 500px) {
    .top,
    .bottom {
      position: absolute;
      inset-inline: 0;
      z-index: 3;
      transition: opacity var(--calm);
    }

    .top {
      inset-block-start: 0;
      min-block-size: 0;
      padding-block-start: 12px;
      color: #fff;
      text-shadow: 0 1px 8px rgb(0 0 0 / 60%);
      pointer-events: none;
    }

    .bottom {
      inset-block-end: 0;
      padding-block-end: 8px;
    }

    .frame {
      grid-area: 1 / 1 / -1 / -1;
      margin: 0;
    }

    .lit .frame {
      background: #000;
    }

    .picture,
    .veil {
      border-radius: 0;
    }

    .tap {
      margin-block-end: 84px;
    }

    .reading .tap {
      display: none;
    }

    .readings {
      max-block-size: calc(100cqb - 96px);
      margin-block-start: 12px;
    }

    .idle :is(.top, .bottom):not(:focus-within) {
      opacity: 0;
      pointer-events: none;
    }
  }

  /* Full screen is the same, at any height. */
  :host(:fullscreen) .top,
  :host(:fullscreen) .bottom {
    position: absolute;
    inset-inline: 0;
    z-index: 3;
    transition: opacity var(--calm);
  }

  :host(:fullscreen) .top {
    inset-block-start: 0;
    color: #fff;
    text-shadow: 0 1px 8px rgb(0 0 0 / 60%);
    pointer-events: none;
  }

  :host(:fullscreen) .bottom {
    inset-block-end: 0;
  }

  :host(:fullscreen) .frame {
    grid-area: 1 / 1 / -1 / -1;
    margin: 0;
  }

  :host(:fullscreen) :is(.picture, .veil) {
    border-radius: 0;
    box-shadow: none;
  }

  :host(:fullscreen) .ambient {
    display: none;
  }

  :host(:fullscreen) .tap {
    margin-block-end: 100px;
  }

  :host(:fullscreen) .idle {
    cursor: none;
  }

  :host(:fullscreen) .idle :is(.top, .bottom):not(:focus-within) {
    opacity: 0;
    pointer-events: none;
  }

  @media (prefers-reduced-motion: reduce) {
    .ambient {
      display: none;
    }

    .tap,
    .readings,
    live-room-menu {
      animation: none;
    }
  }
`
