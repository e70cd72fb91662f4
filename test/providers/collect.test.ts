import { expect, test } from 'vitest'

import { createCollector } from '../../src/providers/collect.ts'

test('an answer of any number of pieces is whole, and may be asked for while it grows', () => {
  const collector = createCollector('p/m')
  let text = ''
  for (let at = 0; at < 1000; at++) {
    collector.add({ type: 'reasoning', delta: `<${at}>` })
    collector.add({ type: 'text', delta: `${at} ` })
    text += `${at} `
    if (at % 37 === 0) expect(collector.answer().text).toBe(text)
  }
  const { text: whole, reasoning } = collector.answer()
  expect(whole).toBe(text)
  expect(reasoning).toEqual({ text: Array.from({ length: 1000 }, (_, at) => `<${at}>`).join('') })
})

test('another start begins anew', () => {
  const collector = createCollector('p/m')
  collector.add({ type: 'text', delta: 'half an' })
  collector.add({ type: 'reasoning', delta: 'hm', signature: 's' })
  collector.add({ type: 'start', model: 'm', requestId: null, route: 'p/n' })
  collector.add({ type: 'text', delta: 'an answer' })
  expect(collector.answer()).toMatchObject({ text: 'an answer', reasoning: null, route: 'p/n' })
})
