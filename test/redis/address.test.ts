import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { secretValues, urlWithoutSecrets } from '../../src/config/describe.ts'
import { loadConfig } from '../../src/config/load.ts'
import { describeRedisUrl, parseRedisAddress } from '../../src/redis/address.ts'

const SERVERS = [
  { host: 'a', port: 1 },
  { host: 'b', port: 2 },
]

test.each([
  ['redis://', { kind: 'single', server: { host: '127.0.0.1', port: 6379 }, access: {} }],
  [
    'redis://u:p%40ss@h:1/3',
    { kind: 'single', server: { host: 'h', port: 1 }, access: { username: 'u', password: 'p@ss', db: 3 } },
  ],
  ['rediss://[::1]:7', { kind: 'single', server: { host: '::1', port: 7 }, access: { tls: {} } }],
  ['unix:///run/redis.sock', { kind: 'socket', path: '/run/redis.sock' }],
  ['redis+cluster://:p@a:1,b:2', { kind: 'cluster', servers: SERVERS, access: { password: 'p' } }],
  ['redis+sentinel://a:1,b:2/main', { kind: 'sentinel', servers: SERVERS, master: 'main', access: {} }],
  [
    'rediss+sentinel://a:1,b:2/main/4?servername=redis.test',
    {
      kind: 'sentinel',
      servers: SERVERS,
      master: 'main',
      access: { db: 4, tls: { servername: 'redis.test' } },
    },
  ],
])('%s is taken apart', (url, address) => {
  expect(parseRedisAddress(url)).toEqual(address)
})

test.each([
  ['http://a', /expected redis:\/\//],
  ['redis://a:1,b:2', /expected redis:\/\//],
  ['redis://a:secret-port', /expected redis:\/\//],
  ['redis+sentinel://a:1', /name of the master/],
  ['redis://a/zero', /number of a database/],
  ['rediss://a?ca=/no/such/file', /ca: expected a readable file/],
])('%s is refused, saying what is expected', (url, message) => {
  expect(() => parseRedisAddress(url)).toThrow(message)
})

test('certificates are read from the files that the address names', () => {
  const folder = mkdtempSync(join(tmpdir(), 'tk-tls-'))
  writeFileSync(join(folder, 'ca.pem'), 'a certificate')
  const address = parseRedisAddress(`rediss://a?ca=${folder}/ca.pem`)
  rmSync(folder, { recursive: true })
  expect(address).toMatchObject({ access: { tls: { ca: Buffer.from('a certificate') } } })
})

test('no form of address shows its password', async () => {
  for (const url of [
    'redis://u:hush@a:1',
    'redis+cluster://u:hush@a:1,b:2',
    'redis+sentinel://u:hush@a:1,b/main',
  ]) {
    expect(describeRedisUrl(url)).not.toContain('hush')
    expect(urlWithoutSecrets(url)).not.toContain('hush')
    expect(secretValues(await loadConfig({ redis: { url } }))).toContain('hush')
  }
  expect(urlWithoutSecrets('redis+cluster://u:hush@a:1,b:2')).toBe('redis+cluster://***@a:1,b:2')
})
