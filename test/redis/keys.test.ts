import { expect, test } from 'vitest'
import {
  derivedSessionId,
  newTurnId,
  sessionIdOf,
  sessionKeys,
  sessionOfTurn,
  sessionRef,
} from '../../src/redis/keys.ts'

test('a turn id alone leads to its session and its tenant', () => {
  const ref = sessionRef('user:42', 'acme')
  const turnId = newTurnId(ref)
  expect(sessionOfTurn(turnId)).toBe(ref)
  expect(sessionIdOf(ref)).toBe('user:42')
})

test('all keys of a turn carry one hash tag, so that one script may touch them', () => {
  const ref = sessionRef('s')
  const session = sessionKeys('p', ref)
  const { turn, steps, events, channel } = session.turn(newTurnId(ref))
  const tags = [
    session.inbox,
    session.delayed,
    session.history,
    session.idempotency('k'),
    turn,
    steps,
    events,
    channel,
  ].map((key) => /\{(.+?)\}/.exec(key)?.[1])
  expect(new Set(tags)).toEqual(new Set(['s']))
})

test('the same session name of two tenants is two sessions', () => {
  expect(sessionRef('s', 'a')).not.toBe(sessionRef('s', 'b'))
  expect(sessionRef('s', 'a')).not.toBe(sessionRef('s'))
})

test.each(['', 'a b', 'x{y}', 'a~b', 'ä', 'x'.repeat(129)])('the session name %j is refused', (name) => {
  expect(() => sessionRef(name)).toThrow(/sessionId: expected 1 to 128/)
})

test.each(['', 'nonsense', 't-1~', 't-1~a~b c'])('%j is no turn id', (id) => {
  expect(() => sessionOfTurn(id)).toThrow(/expected a turn id/)
})

test('a session derived from an idempotency key is always the same one', () => {
  expect(derivedSessionId('order-7')).toBe(derivedSessionId('order-7'))
  expect(derivedSessionId()).not.toBe(derivedSessionId())
})
