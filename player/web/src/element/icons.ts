/** The viewer's own icons: 24 by 24, drawn with the text's colour. */

import { svg, type TemplateResult } from 'lit'

const stroke = (content: TemplateResult): TemplateResult => svg`
  <svg viewBox="0 0 24 24" width="22" height="22" fill="none" stroke="currentColor" stroke-width="1.8"
    stroke-linecap="round" stroke-linejoin="round" aria-hidden="true">${content}</svg>`

export const play = stroke(svg`<path d="M8 5.5v13l10.5-6.5z" fill="currentColor" />`)
export const pause = stroke(svg`<path d="M8.5 5.5v13M15.5 5.5v13" stroke-width="3" />`)
const speaker = svg`<path d="M4 9.5v5h3.5L12 18.5v-13L7.5 9.5z" fill="currentColor" />`
export const sound = stroke(svg`${speaker}<path d="M15.5 9a4.2 4.2 0 0 1 0 6M18 6.5a7.8 7.8 0 0 1 0 11" />`)
export const quiet = stroke(svg`${speaker}<path d="M15.5 9a4.2 4.2 0 0 1 0 6" />`)
export const muted = stroke(svg`${speaker}<path d="m16 9.5 5 5m0-5-5 5" />`)
export const settings = stroke(svg`
  <path d="M4 7.5h8.5M17.5 7.5H20M4 16.5h2.5M11.5 16.5H20" />
  <circle cx="15" cy="7.5" r="2.4" /><circle cx="9" cy="16.5" r="2.4" />`)
export const enlarge = stroke(svg`<path d="M4.5 9V4.5H9M15 4.5h4.5V9M19.5 15v4.5H15M9 19.5H4.5V15" />`)
export const shrink = stroke(svg`<path d="M9 4.5V9H4.5M19.5 9H15V4.5M15 19.5V15h4.5M4.5 15H9v4.5" />`)
export const close = stroke(svg`<path d="m6 6 12 12M18 6 6 18" />`)
export const check = stroke(svg`<path d="m5.5 12.5 4.2 4.2 8.8-9.2" />`)
export const moon = stroke(svg`<path d="M19 14.5A7.8 7.8 0 0 1 9.5 5a7.6 7.6 0 1 0 9.5 9.500z" />`)
export const plug = stroke(svg`<path d="M9 3.500v5M15 3.500v5M6.5 8.500h11v2.500a5.5 5.5 0 0 1-11 0zM12 16.500v4" />`)
export const lock = stroke(svg`<rect x="5.5" y="10.5" width="13" height="9" rx="2.2" /><path d="M8.5 10.500V8a3.5 3.5 0 0 1 7 0v2.5" />`)
export const warning = stroke(svg`<path d="M12 4.5 3.5 19h17zM12 10v4M12 16.500v.1" />`)
export const window = stroke(svg`<rect x="3.5" y="5" width="17" height="14" rx="2.2" /><path d="M3.5 9.500h17M6.5 7.250h.1" />`)
export const flag = stroke(svg`<path d="M6 20.500V4.500c4-2 7 2 12 0v9c-5 2-8-2-12 0" />`)
