/** 40 secrets, each with the place into which it is put, and the upstream that gives them back in many forms. */

import type { ServerResponse } from 'node:http'
import { gzipSync } from 'node:zlib'
import type { ModelRequest } from '../../../src/providers/types.ts'
import { chunk, event } from '../upstream-server.ts'

export type Canary = { readonly name: string; readonly value: string }

const FORMS = [
  'raw in an error text',
  'raw in a header',
  'raw in a page',
  'URL-encoded in a page',
  'in JSON inside JSON',
  'base64',
  'base64 after one byte',
  'base64 after two bytes',
  'hex',
  'split over two chunks of a stream',
  'over the end of the excerpt',
  'in a gzip body',
  'in a gzip body without a label',
  'over the cut of the raw bytes',
] as const

/** One key a provider; its characters change in every encoding. */
export const KEYS: readonly Canary[] = FORMS.map((form, index) => ({
  name: `key ${form}`,
  value: `c4nary/${index}+"k<y\\${'abcdefghijklmn'[index]}=77`,
}))

const HEADERS = [
  ...['set-cookie', 'authorization', 'x-api-key', 'proxy-authorization', 'x-auth-token'],
  ...['x-amz-security-token', 'x-goog-api-key', 'cookie'],
].map((name) => ({ name, value: `c4nary-header-${name}-55` }))

const PARAMETERS = ['api_key', 'token', 'sig', 'user:password'].map((name) => ({
  name: `URL ${name}`,
  value: `c4nary-url-${name.replace(/\W/g, '')}-66`,
}))

export const PASSWORDS: readonly Canary[] = ['redis', 'otlp'].map((name) => ({
  name: `${name} password`,
  value: `c4nary-${name}-pa55`,
}))

/** What a model is sent: four that look like keys and are given back, four that are plain words and are not. */
const PROMPTS = ['system', 'user', 'description', 'argument'].map((name) => ({
  name: `prompt ${name}`,
  value: `sk-c4nary-${name}-0123456789abcdef`,
}))
const WORDS = ['assistant', 'result', 'schema', 'stop'].map((name) => ({
  name: `prompt ${name}`,
  value: `c4naryword${name}`,
}))

const FOUND = [
  { name: 'bearer in a page', value: 'c4nary.bearer.0123456789' },
  { name: 'vendor key in a page', value: 'gsk_c4nary0123456789abcdef' },
  { name: 'named key in an error', value: 'c4nary-named-99' },
  { name: 'password in an error', value: 'c4nary-passwd-99' },
] as const

export const CANARIES: readonly Canary[] = [
  ...[KEYS, HEADERS, PARAMETERS, PASSWORDS, PROMPTS, WORDS, FOUND].flat(),
]

const value = (list: readonly Canary[], index: number): string => list[index]?.value ?? ''

export const REQUEST: Omit<ModelRequest, 'model'> = {
  messages: [
    { role: 'system', content: `be ${value(PROMPTS, 0)}` },
    { role: 'user', content: `say ${value(PROMPTS, 1)}` },
    {
      role: 'assistant',
      content: value(WORDS, 0),
      toolCalls: [{ id: 't1', name: 'look', input: { at: value(PROMPTS, 3) } }],
    },
    { role: 'tool', toolCallId: 't1', name: 'look', content: value(WORDS, 1) },
  ],
  tools: [
    {
      name: 'look',
      description: value(PROMPTS, 2),
      inputSchema: { type: 'object', description: value(WORDS, 2) },
    },
  ],
  parameters: { stop: [value(WORDS, 3)] },
}

/** Gives key `index` back in its form, and with it everything that an upstream should keep to itself. */
export function giveBack(response: ServerResponse, index: number): ServerResponse {
  const key = value(KEYS, index)
  const headers = { ...secretHeaders(), ...(index === 1 && { 'x-echo': `you sent ${key}` }) }
  const send = (status: number, type: string, body: string | Buffer, more: object = {}): ServerResponse =>
    response.writeHead(status, { 'content-type': type, ...headers, ...more }).end(body)
  const fail = (message: string): ServerResponse =>
    send(500, 'application/json', JSON.stringify({ error: { message: `${message} ${echo()}` } }))
  const page = (text: string): string =>
    `<html><title>${text}</title><body>${text} ${pageSecrets()}</body></html>`
  switch (index) {
    case 2:
      return send(502, 'text/html', page(key))
    case 3:
      return send(502, 'text/html', page(`/login?k=${encodeURIComponent(key)}`))
    case 4:
      return fail(JSON.stringify({ inner: key }))
    case 5:
    case 6:
    case 7:
      return fail(Buffer.from(`${'x'.repeat(index - 5)}${key}`).toString('base64'))
    case 8:
      return fail(Buffer.from(key).toString('hex'))
    case 9:
      return failInStream(response, headers, key)
    case 10:
      return send(502, 'text/html', `<html>${'y'.repeat(2030)} ${key} and more</html>`)
    case 11:
      return send(502, 'text/html', gzipSync(page(key)), { 'content-encoding': 'gzip' })
    case 12:
      return send(200, 'application/json', gzipSync(page(key)))
    case 13:
      return send(502, 'text/html', `<html>${'z'.repeat(2000)}${`${key} `.repeat(6000)}</html>`)
    default:
      return fail(index === 1 ? 'see the header' : key)
  }
}

function failInStream(response: ServerResponse, headers: object, key: string): ServerResponse {
  const text = chunk({ content: 'so far' }) + event({ error: { message: `key ${key} is over` } })
  const at = text.indexOf('c4nary') + 8
  response.writeHead(200, { 'content-type': 'text/event-stream', ...headers })
  response.write(text.slice(0, at))
  setTimeout(() => response.end(text.slice(at)), 20)
  return response
}

function secretHeaders(): Record<string, string> {
  const [api, token, sig, password] = PARAMETERS.map((parameter) => parameter.value)
  return {
    ...Object.fromEntries(HEADERS.map(({ name, value: secret }) => [name, secret])),
    location: `https://user:${password}@login.example/?api_key=${api}&token=${token}&sig=${sig}`,
  }
}

function echo(): string {
  const passwords = PASSWORDS.map((password) => password.value).join(' ')
  const prompts = PROMPTS.map((prompt) => prompt.value).join(' ')
  return `(${passwords}) "api_key":"${value(FOUND, 2)}" password=${value(FOUND, 3)} ${prompts}`
}

function pageSecrets(): string {
  return `<p>Bearer ${value(FOUND, 0)} ${value(FOUND, 1)}</p>`
}
