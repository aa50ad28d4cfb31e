import { describe, expect, it } from 'vitest'

import { choose, strings } from '.'
import { en } from './en'
import { studioEn } from './studio-en'
import { studioZhCN } from './studio-zh-CN'
import { zhCN } from './zh-CN'

/** All strings, also those in groups. */
function flat(strings: object): [string, unknown][] {
  return Object.entries(strings).flatMap(([key, value]): [string, unknown][] =>
    typeof value === 'object' ? flat(value as object).map(([name, string]): [string, unknown] => [`${key}.${name}`, string]) : [[key, value]],
  )
}

describe('languages', () => {
  it.each([
    { one: en, other: zhCN },
    { one: studioEn, other: studioZhCN },
  ])('have the same strings, all of them filled', ({ one, other }) => {
    expect(flat(other).map(([key]) => key).sort()).toEqual(flat(one).map(([key]) => key).sort())
    for (const [key, value] of [...flat(one), ...flat(other)]) {
      const said = typeof value === 'string' ? value : (value as (word: never) => string)('7' as never)
      expect(said.trim(), key).not.toBe('')
      if (typeof value !== 'string') expect(said, key).toContain('7')
    }
  })

  it('are chosen by the viewer\'s wishes', () => {
    expect(choose(['zh-Hans-CN', 'en'])).toBe('zh-CN')
    expect(choose(['fr-FR', 'en-GB', 'zh'])).toBe('en')
    expect(choose(['fr'])).toBe('en')
    expect(strings(choose(['zh']))).toBe(zhCN)
  })
})
