import { expect, it } from 'vitest'

import { catalog, isRoom, roomOfPath } from './naming'

it('finds the room in the path, and takes no other for one', () => {
  expect(roomOfPath('/demo')).toBe('demo')
  expect(roomOfPath('/class-7/')).toBe('class-7')
  for (const path of ['/', '', '/a%20b', '/%ff', `/${'x'.repeat(65)}`]) expect(roomOfPath(path), path).toBeNull()
  expect(isRoom('a/b')).toBe(false)
  expect(catalog('demo')).toEqual({ namespace: ['room', 'demo', 'stage'], name: 'catalog' })
})
