import { createSecureServer, type Http2SecureServer } from 'node:http2'
import type { AddressInfo } from 'node:net'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { createUpstream } from '../../src/providers/attempt/create-upstream.ts'
import { createHttpClient } from '../../src/providers/http.ts'
import { selfSignedCertificate } from '../../src/providers/sim/certificate.ts'
import type { StreamPart } from '../../src/providers/types.ts'
import { isOnPath } from '../programs.ts'
import { ask } from './calls.ts'
import { chunk, event } from './upstream-server.ts'

/** A real TLS server that speaks both versions and says which one was chosen. */
describe.skipIf(!isOnPath('openssl'))('the HTTP version of a provider', () => {
  let server: Http2SecureServer
  let ca: string
  let url: string
  const versions: string[] = []
  const sessions = new Set<unknown>()

  beforeAll(async () => {
    const { key, cert } = await selfSignedCertificate()
    ca = cert
    server = createSecureServer({ key, cert, allowHTTP1: true }, (request, response) => {
      versions.push(request.httpVersion)
      sessions.add(request.httpVersionMajor === 2 ? request.stream.session : request.socket)
      request.resume()
      if (request.url === '/v1/torn/chat/completions') {
        response.writeHead(200, { 'content-type': 'text/event-stream' })
        response.write(chunk({ content: 'half' }))
        setTimeout(() => request.stream.close(8), 20)
        return
      }
      response.writeHead(200, { 'content-type': 'text/event-stream', 'x-request-id': 'r2' })
      response.write(chunk({ content: 'Hel' }))
      setTimeout(() => response.end(chunk({ content: 'lo' }, 'stop') + event('[DONE]')), 20)
    })
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    const { port } = server.address() as AddressInfo // it listens on TCP
    url = `https://localhost:${port}/v1`
  })
  afterAll(() => void server.close())

  async function answers(version: '1.1' | '2', count: number, path = ''): Promise<string[]> {
    versions.length = 0
    sessions.clear()
    const http = createHttpClient({ http2: version === '2', ca })
    const upstream = createUpstream({ protocol: 'openai-chat', baseUrl: `${url}${path}`, model: 'm', http })
    const run = async (): Promise<string> => {
      const parts: StreamPart[] = []
      const report = await upstream.attempt(ask, (part) => parts.push(part))
      const text = parts.map((part) => (part.type === 'text' ? part.delta : '')).join('')
      return report.error ? `${text}: ${report.error.code}` : text
    }
    const first = await run()
    const rest = await Promise.all(Array.from({ length: count - 1 }, run))
    await http.close()
    return [first, ...rest]
  }

  test('1.1 gives each stream a connection', async () => {
    expect(await answers('1.1', 4)).toEqual(['Hello', 'Hello', 'Hello', 'Hello'])
    expect(new Set(versions)).toEqual(new Set(['1.1']))
    expect(sessions.size).toBeGreaterThan(1)
  })

  test('2 shares one among them', async () => {
    expect(await answers('2', 4)).toEqual(['Hello', 'Hello', 'Hello', 'Hello'])
    expect(new Set(versions)).toEqual(new Set(['2.0']))
    expect(sessions.size).toBeLessThanOrEqual(2)
  })

  test('a stream of HTTP/2 that is reset is a truncation that keeps what came', async () => {
    expect(await answers('2', 1, '/torn')).toEqual(['half: network/truncated_stream'])
  })
})
