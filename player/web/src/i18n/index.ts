/** The languages of the viewer. */

import { en, type Strings } from './en'
import { zhCN } from './zh-CN'

export type { Strings }

/** A language that the viewer speaks. */
export type Language = 'en' | 'zh-CN'

/** All of them, by their own names. */
export const LANGUAGES: readonly { readonly language: Language; readonly name: string }[] = [
  { language: 'en', name: 'English' },
  { language: 'zh-CN', name: '简体中文' },
]

/** The strings of a language. */
export function strings(language: Language): Strings {
  return language === 'zh-CN' ? zhCN : en
}

/** The first of the wished languages that the viewer speaks; English where it speaks none. */
export function choose(wishes: readonly string[]): Language {
  for (const wish of wishes) {
    const primary = wish.toLowerCase().split('-')[0]
    if (primary === 'zh') return 'zh-CN'
    if (primary === 'en') return 'en'
  }
  return 'en'
}
