/** What `redis.url` says, taken apart: one server, a cluster, or a master that sentinels know. */

import { readFileSync } from 'node:fs'
import type { ConnectionOptions as TlsOptions } from 'node:tls'
import { TurnkeeperError } from '../errors.ts'

export type Server = { readonly host: string; readonly port: number }

/** What each connection to a server needs. */
export type Access = {
  readonly username?: string
  readonly password?: string
  readonly db?: number
  readonly tls?: TlsOptions
}

export type RedisAddress =
  | { readonly kind: 'socket'; readonly path: string }
  | { readonly kind: 'single'; readonly server: Server; readonly access: Access }
  | { readonly kind: 'cluster'; readonly servers: readonly Server[]; readonly access: Access }
  | {
      readonly kind: 'sentinel'
      readonly servers: readonly Server[]
      readonly master: string
      readonly access: Access
    }

const FORM =
  /^(redis|rediss|redis\+cluster|rediss\+cluster|redis\+sentinel|rediss\+sentinel):\/\/(?:([^@/]*)@)?([^/?]*)(?:\/([^?]*))?(?:\?(.*))?$/
const EXPECTED =
  'expected redis://host:port, rediss://…, redis+cluster://host:port,host:port, redis+sentinel://host:port,host:port/master or unix:///path'

/**
 * Takes an address apart. `rediss` forms take the files `ca`, `cert` and `key` and the name `servername` in the query.
 * @throws TurnkeeperError `config/invalid_config` for text that is no such address, without showing it.
 */
export function parseRedisAddress(url: string): RedisAddress {
  if (url.startsWith('unix:')) return { kind: 'socket', path: url.replace(/^unix:(\/\/)?/, '') }
  const match = FORM.exec(url)
  if (!match) throw invalid(EXPECTED)
  const [, scheme = '', user = '', hosts = '', path = '', query = ''] = match
  const kind = scheme.split('+')[1] ?? 'single'
  const access = { ...credentials(user), ...(scheme.startsWith('rediss') && { tls: tlsOptions(query) }) }
  if (kind === 'cluster') return { kind, servers: serversFrom(hosts, 6379), access }
  if (kind === 'sentinel') {
    const [master = '', db] = path.split('/')
    if (master === '') throw invalid('expected the name of the master after the sentinels: …/master-name')
    return { kind, servers: serversFrom(hosts, 26_379), master, access: { ...access, ...database(db) } }
  }
  const [server, ...more] = serversFrom(hosts, 6379)
  if (!server || more.length > 0) throw invalid(EXPECTED)
  return { kind: 'single', server, access: { ...access, ...database(path) } }
}

/** The address without its user, password and query, for messages and logs. */
export function describeRedisUrl(url: string): string {
  if (url.startsWith('unix:')) return url
  const match = FORM.exec(url)
  if (!match) return 'an address that is not a URL'
  const [, scheme, , hosts, path] = match
  return `${scheme}://${hosts}${path ? `/${path}` : ''}`
}

function serversFrom(hosts: string, defaultPort: number): readonly Server[] {
  return hosts.split(',').map((text) => {
    const match = /^(\[[0-9a-fA-F:.]+\]|[^:\s]*)(?::(\d{1,5}))?$/.exec(text)
    if (!match) throw invalid(EXPECTED)
    const host = (match[1] || '127.0.0.1').replace(/^\[|\]$/g, '')
    return { host, port: match[2] === undefined ? defaultPort : Number(match[2]) }
  })
}

function credentials(user: string): Access {
  if (user === '') return {}
  const colon = user.indexOf(':')
  const [username, password] = colon < 0 ? [user, ''] : [user.slice(0, colon), user.slice(colon + 1)]
  return {
    ...(username !== '' && { username: decoded(username) }),
    ...(password !== '' && { password: decoded(password) }),
  }
}

function database(text: string | undefined): Access {
  if (!text) return {}
  if (!/^\d{1,4}$/.test(text)) throw invalid('expected the number of a database after the slash')
  return { db: Number(text) }
}

function tlsOptions(query: string): TlsOptions {
  const given = new URLSearchParams(query)
  const file = (name: string): Buffer | undefined => {
    const path = given.get(name)
    if (path === null) return undefined
    try {
      return readFileSync(path)
    } catch {
      throw invalid(`${name}: expected a readable file, got ${path}`)
    }
  }
  const [ca, cert, key] = [file('ca'), file('cert'), file('key')]
  const servername = given.get('servername')
  return { ...(ca && { ca }), ...(cert && { cert }), ...(key && { key }), ...(servername && { servername }) }
}

/** A bare % is meant as it is written. */
function decoded(text: string): string {
  try {
    return decodeURIComponent(text)
  } catch {
    return text
  }
}

function invalid(problem: string): TurnkeeperError {
  return new TurnkeeperError('invalid_config', `redis.url: ${problem}`)
}
