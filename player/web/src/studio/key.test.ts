import { describe, expect, it } from 'vitest'

import { claimsOf, faultOf, tokenIn } from './key'

const NOW = 1_800_000_000_000

function token(claims: object): string {
  const part = (value: object): string => btoa(JSON.stringify(value)).replace(/\+/g, '-').replace(/\//g, '_').replace(/=+$/, '')
  return `${part({ alg: 'HS256' })}.${part(claims)}.c2ln`
}

describe('a token for the studio', () => {
  const host = token({ room: 'demo', role: 'host', exp: NOW / 1_000 + 60 })

  it('is found alone or in a link', () => {
    expect(tokenIn(` ${host}\n`)).toBe(host)
    expect(tokenIn(`https://relay.example/studio/demo#token=${host}`)).toBe(host)
    for (const wrong of ['', 'hello', 'a.b', 'https://relay.example/studio/demo', '<b>.c.d', '#token=']) expect(tokenIn(wrong)).toBeNull()
  })

  it('is looked at before it is tried', () => {
    expect(faultOf(host, 'demo', NOW)).toBeNull()
    expect(faultOf(host, 'demo', NOW + 60_000)).toEqual({ why: 'expired' })
    expect(faultOf(host, 'other', NOW)).toEqual({ why: 'room', room: 'demo' })
    expect(faultOf(token({ room: 'demo', role: 'viewer' }), 'demo', NOW)).toEqual({ why: 'viewer' })
    expect(faultOf(token({ room: 'demo', role: 'moderator' }), 'demo', NOW)).toBeNull()
    expect(faultOf('a.b.c', 'demo', NOW)).toEqual({ why: 'unreadable' })
    expect(claimsOf(token({}))).toBeNull()
  })
})
