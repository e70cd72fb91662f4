import { expect, test } from 'vitest'
import { createTogether } from '../../src/redis/together.ts'

const failing = (message: string) => async (): Promise<string> => {
  throw new Error(message)
}
const parts = async (): Promise<string> => 'parts'
const whole = async (): Promise<string> => 'whole'

test('a server that refuses keys of several slots is asked for parts from then on', async () => {
  const together = createTogether({ isCluster: false })
  expect(await together(whole, parts)).toBe('whole')
  expect(await together(failing("CROSSSLOT Keys in request don't hash to the same slot"), parts)).toBe(
    'parts',
  )
  expect(await together(whole, parts)).toBe('parts')
})

test('an error that only names it, as of an agent called so, is no refusal of the server', async () => {
  const together = createTogether({ isCluster: false })
  const unserved = failing('no worker has agent "CROSSSLOT"')
  await expect(together(unserved, parts)).rejects.toThrow('no worker has agent')
  expect(await together(whole, parts)).toBe('whole')
})
