/** The languages of the studio: those of the viewer. */

import type { Language } from '.'
import { studioEn, type StudioStrings } from './studio-en'
import { studioZhCN } from './studio-zh-CN'

export type { StudioStrings }

/** The studio's strings in a language. */
export function studioStrings(language: Language): StudioStrings {
  return language === 'zh-CN' ? studioZhCN : studioEn
}
