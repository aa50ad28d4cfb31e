import { expect, it } from 'vitest'

import { step } from './rows'

it('walks within the list', () => {
  expect(['ArrowUp', 'ArrowDown', 'Home', 'End', 'd'].map((key) => step(key, 1, 4))).toEqual([0, 2, 0, 3, null])
  expect([step('ArrowUp', 0, 4), step('ArrowDown', 3, 4), step('End', 0, 0)]).toEqual([0, 3, null])
})
