/** Refusals in words, as the viewer's page has them. */

import { strings, type Language } from '../i18n'
import { refused } from '../element/refused'
import type { Refusal } from '../room/say'

/** What became of something, in a language. */
export function refusedWords(language: Language, refusal: Refusal): string {
  const words = refused(strings(language), refusal)
  return refusal.detail === '' ? words : `${words} (${refusal.detail})`
}
