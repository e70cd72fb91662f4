import { expect, test } from 'vitest'
import { createPresence } from '../../src/queue/presence.ts'

/** Looks of which each shows these signs. */
function looking(...looks: Record<string, string>[]) {
  const presence = createPresence()
  for (const signs of looks) presence.note(new Map(Object.entries(signs)))
  return presence
}

test('a worker whose sign stands still for four looks is gone', () => {
  const signs = { a: '1', b: '1' }
  const presence = looking(signs, { a: '2', b: '1' }, { a: '3', b: '1' }, { a: '4', b: '1' })
  expect(presence.isGone('b')).toBe(false)
  presence.note(new Map([['b', '1']]))
  expect(presence.isGone('b')).toBe(true)
  expect(presence.isGone('a')).toBe(false)
})

test('a worker that was held for dead and beats again is alive', () => {
  const same = { a: '1' }
  const presence = looking(same, same, same, same, same, same, same)
  expect(presence.isGone('a')).toBe(true)
  presence.note(new Map([['a', '2']]))
  expect(presence.isGone('a')).toBe(false)
})

test('a worker that was never seen is not dead: it has joined since the last look (P2)', () => {
  const presence = looking({ a: '1' }, { a: '2' }, { a: '3' }, { a: '4' }, { a: '5' })
  expect(presence.isGone('newcomer')).toBe(false)
})

test('a dead worker stays dead when the registry has forgotten it, for as long as its leases can last', () => {
  const presence = looking({ a: '1', b: '1' }, ...Array.from({ length: 4 }, () => ({ b: '1' })))
  expect(presence.isGone('a')).toBe(true)
  for (let look = 0; look < 15; look++) presence.note(new Map([['b', `${look}`]]))
  expect(presence.isGone('a')).toBe(true)
  for (let look = 0; look < 15; look++) presence.note(new Map([['b', `${look}`]]))
  expect(presence.isGone('a')).toBe(false)
})

test('nobody dies while nobody can look, however long that takes (P1)', () => {
  const presence = looking({ a: '1' }, { a: '2' })
  // An hour without Redis: no look succeeds. Then everybody beats again.
  presence.note(new Map([['a', '2']]))
  expect(presence.isGone('a')).toBe(false)
})
