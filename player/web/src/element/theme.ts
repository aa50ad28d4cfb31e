/** Colours, type and the few shapes that all parts of the viewer share. */

import { css } from 'lit'

/** Tokens: quiet surfaces, one red that means "live", and one accent for what can be acted on. */
export const tokens = css`
  :host {
    --ground: light-dark(#f3f1ec, #0b0c0e);
    --surface: light-dark(rgb(255 254 251 / 94%), rgb(24 26 30 / 93%));
    --raised: light-dark(#fffefb, #1b1d22);
    --ink: light-dark(#1d1f23, #f1efe9);
    --soft: light-dark(#5e6168, #a3a6ad);
    --line: light-dark(rgb(29 31 35 / 10%), rgb(241 239 233 / 11%));
    --hover: light-dark(rgb(29 31 35 / 7%), rgb(241 239 233 / 10%));
    --live: light-dark(#d2322d, #ff5a52);
    --accent: light-dark(#2456c8, #8fb4ff);
    --shadow: 0 1px 2px rgb(0 0 0 / 8%), 0 12px 40px rgb(0 0 0 / 16%);
    --quick: 160ms cubic-bezier(0.2, 0, 0, 1);
    --calm: 420ms cubic-bezier(0.2, 0, 0, 1);
  }

  @media (prefers-reduced-motion: reduce) {
    :host {
      --quick: 0ms;
      --calm: 0ms;
    }
  }
`

export const shapes = css`
  *,
  *::before,
  *::after {
    box-sizing: border-box;
  }

  [hidden] {
    display: none !important;
  }

  button {
    font: inherit;
    color: inherit;
    background: none;
    border: 0;
    padding: 0;
    cursor: pointer;
    -webkit-tap-highlight-color: transparent;
  }

  :focus-visible {
    outline: 2px solid var(--accent);
    outline-offset: 2px;
  }

  .icon-button {
    display: grid;
    place-items: center;
    inline-size: 44px;
    block-size: 44px;
    border-radius: 14px;
    transition: background-color var(--quick);
  }

  .icon-button:hover,
  .icon-button[aria-expanded='true'] {
    background: var(--hover);
  }

  .panel {
    background: var(--surface);
    color: var(--ink);
    border: 1px solid var(--line);
    border-radius: 20px;
    box-shadow: var(--shadow);
    backdrop-filter: blur(24px) saturate(1.4);
    -webkit-backdrop-filter: blur(24px) saturate(1.4);
  }

  input[type='range'] {
    --filled: 0%;
    appearance: none;
    -webkit-appearance: none;
    inline-size: 100%;
    block-size: 28px;
    margin: 0;
    background: none;
    cursor: pointer;
    border-radius: 8px;
  }

  input[type='range']::-webkit-slider-runnable-track {
    block-size: 4px;
    border-radius: 2px;
    background: linear-gradient(to right, var(--ink) var(--filled), var(--line) var(--filled));
  }

  input[type='range']::-moz-range-track {
    block-size: 4px;
    border-radius: 2px;
    background: linear-gradient(to right, var(--ink) var(--filled), var(--line) var(--filled));
  }

  input[type='range']::-webkit-slider-thumb {
    -webkit-appearance: none;
    inline-size: 16px;
    block-size: 16px;
    margin-block-start: -6px;
    border-radius: 50%;
    background: var(--ink);
    border: 3px solid var(--raised);
    box-shadow: 0 0 0 1px var(--line);
  }

  input[type='range']::-moz-range-thumb {
    inline-size: 12px;
    block-size: 12px;
    border-radius: 50%;
    background: var(--ink);
    border: 3px solid var(--raised);
    box-shadow: 0 0 0 1px var(--line);
  }
`
