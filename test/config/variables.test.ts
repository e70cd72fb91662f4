import { expect, test } from 'vitest'
import { substituteVariables } from '../../src/config/source/variables.ts'

const env = { KEY: 'value', EMPTY: '', YAML: '{ a: 1 }', NESTED: `\${KEY}` }

test.each([
  [`\${KEY}`, 'value'],
  [`a-\${KEY}-\${KEY}`, 'a-value-value'],
  [`\${EMPTY}`, ''],
  [`\${MISSING:-fallback}`, 'fallback'],
  [`\${EMPTY:-fallback}`, 'fallback'],
  [`\${MISSING:-}`, ''],
  [`\${KEY:-fallback}`, 'value'],
  [`\${YAML}`, '{ a: 1 }'],
  [`\${NESTED}`, `\${KEY}`],
  ['$KEY $$ {KEY}', '$KEY $$ {KEY}'],
])('%s becomes "%s"', (text, expected) => {
  expect(substituteVariables(text, env)).toMatchObject({ value: expected, problems: [] })
})

test('variables are replaced in values at any depth, never in keys', () => {
  const placeholder = `\${KEY}`
  const raw = { list: [placeholder, 1, null], deep: { [placeholder]: true } }
  expect(substituteVariables(raw, env).value).toEqual({
    list: ['value', 1, null],
    deep: { [placeholder]: true },
  })
})

test('a variable that is not set is named with the path where it stands', () => {
  const { problems } = substituteVariables({ a: [{ b: `\${MISSING}` }] }, env)
  expect(problems).toEqual([{ path: 'a[0].b', text: 'the variable MISSING is not set', variable: true }])
})

test.each([`\${}`, `\${a-b}`, `\${KEY`, `\${1A}`])('%s is refused, not passed on as it is', (text) => {
  expect(substituteVariables({ a: text }, env).problems).toMatchObject([{ path: 'a' }])
})
