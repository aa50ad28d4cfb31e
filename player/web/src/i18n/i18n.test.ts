import { describe, expect, it } from 'vitest'

import { choose, strings } from '.'
import { en } from './en'
import { zhCN } from './zh-CN'

describe('languages', () => {
  it('have the same strings, all of them filled', () => {
    expect(Object.keys(zhCN).sort()).toEqual(Object.keys(en).sort())
    for (const [key, value] of [...Object.entries(en), ...Object.entries(zhCN)]) {
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
