import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import {
  createTokenSource,
  type RefreshLease,
  type TokenSource,
} from '../../../../src/providers/routing/credentials/oauth.ts'

let folder = ''
let tokenFile = ''
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'tk-oauth-'))
})
afterAll(() => rmSync(folder, { recursive: true, force: true }))
beforeEach(() => {
  tokenFile = join(folder, 'tokens.json')
  held = undefined
  posts = 0
})

const NOW = 1_800_000_000_000
let held: string | undefined
let posts = 0

/** One lease for all sources of a test, as Redis would keep it. */
const lease: RefreshLease = {
  async take(nonce) {
    if (held !== undefined) return false
    held = nonce
    return true
  },
  async release(nonce) {
    if (held === nonce) held = undefined
  },
}
const write = (content: unknown): void =>
  writeFileSync(tokenFile, typeof content === 'string' ? content : JSON.stringify(content))
const tokens = (more: object = {}): object => ({
  access_token: 'first',
  refresh_token: 'r1',
  expires_at: NOW / 1000 + 3600,
  account: 'ada',
  ...more,
})
const source = (
  answer: unknown = { access_token: 'second', refresh_token: 'r2', expires_in: 3600 },
): TokenSource =>
  createTokenSource({
    oauth: { tokenFile, tokenUrl: 'http://login.test/token', clientId: 'cli' },
    lease,
    async post(_url, form) {
      posts++
      expect(form.get('grant_type')).toBe('refresh_token')
      expect(form.get('client_id')).toBe('cli')
      await new Promise((resolve) => setTimeout(resolve, 20))
      if (answer instanceof Error) throw answer
      return answer
    },
    now: () => NOW,
  })
const onDisk = (): Record<string, unknown> =>
  JSON.parse(readFileSync(tokenFile, 'utf8')) as Record<string, unknown>

describe('a token file', () => {
  test('gives its token as long as it is good', async () => {
    write(tokens())
    expect(await source().token()).toBe('first')
    expect(posts).toBe(0)
  })

  test.each([
    ['seconds', NOW / 1000 + 30],
    ['milliseconds', NOW + 30_000],
    ['a date', new Date(NOW + 30_000).toISOString()],
  ])('is refreshed before its end, told in %s, and replaced whole (O1, O4)', async (_kind, expires_at) => {
    write(tokens({ expires_at }))
    expect(await source().token()).toBe('second')
    expect(onDisk()).toEqual({
      access_token: 'second',
      refresh_token: 'r2',
      expires_at: NOW / 1000 + 3600,
      account: 'ada',
    })
    expect(statSync(tokenFile).mode & 0o777).toBe(0o600)
    expect(readdirSync(folder)).toEqual(['tokens.json'])
  })

  test('is refreshed when its token is refused (O1)', async () => {
    write(tokens())
    const one = source()
    expect(await one.renew(await one.token())).toBe('second')
    expect(await one.token()).toBe('second')
  })

  test('keeps its refresh token where the answer brings none', async () => {
    write(tokens())
    await source({ access_token: 'second' }).renew('first')
    expect(onDisk()).toMatchObject({ access_token: 'second', refresh_token: 'r1' })
  })

  test('is refreshed once by eight processes that are refused together (O2, O3)', async () => {
    write(tokens())
    const fleet = Array.from({ length: 8 }, () => source())
    await Promise.all(fleet.map((one) => one.token()))
    expect(new Set(await Promise.all(fleet.map((one) => one.renew('first'))))).toEqual(new Set(['second']))
    expect(posts).toBe(1)
    expect(held).toBeUndefined()
  })

  test('that cannot be refreshed stays as it is, until its token is refused (O5)', async () => {
    write(tokens({ expires_at: NOW / 1000 + 30 }))
    const one = source(new Error('the login server is down'))
    expect(await one.token()).toBe('first')
    await expect(one.renew('first')).rejects.toThrow('the login server is down')
    expect(onDisk()).toMatchObject({ access_token: 'first' })
  })

  test.each([
    ['not JSON', 'secret-token', 'is not a JSON object'],
    ['without a token', { refresh_token: 'secret-token' }, 'has no "access_token"'],
  ])('%s is an error that does not quote it', async (_what, content, problem) => {
    write(content)
    const error = await Promise.resolve(source().token()).catch((thrown: unknown) => thrown)
    expect(String(error)).toContain(problem)
    expect(String(error)).not.toContain('secret-token')
  })
})
