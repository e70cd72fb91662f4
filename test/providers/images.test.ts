import { afterEach, describe, expect, test } from 'vitest'
import { createUpstream } from '../../src/providers/attempt/create-upstream.ts'
import {
  createImageFetcher,
  type ImageFetcher,
  type ImageFetcherOptions,
  inlineImages,
  isPublicAddress,
} from '../../src/providers/attempt/images.ts'
import type { ModelRequest } from '../../src/providers/types.ts'
import { type Answer, completion, sendJson, serve } from './upstream-server.ts'

const png = Buffer.concat([Buffer.from('\x89PNG\r\n\x1a\n', 'latin1'), Buffer.alloc(100)])

describe('images that we fetch', () => {
  let fetcher: ImageFetcher | undefined
  afterEach(async () => {
    await fetcher?.close()
    fetcher = undefined
  })

  async function fetchFrom(answer: Answer, options: Partial<ImageFetcherOptions> = {}, path = '/a.png') {
    await using server = await serve(answer)
    const { origin } = new URL(server.baseUrl)
    fetcher = createImageFetcher({ allow: [origin], isAllowedAddress: () => true, ...options })
    const outcome = await fetcher.fetch(`${origin}${path}`).catch((error: unknown) => error)
    return { outcome, requests: server.requests }
  }
  const image: Answer = (response) => response.writeHead(200, { 'content-type': 'image/png' }).end(png)

  test('come as bytes with the type that they have, by a GET without any key', async () => {
    const { outcome, requests } = await fetchFrom(image)
    expect(outcome).toEqual({ type: 'image', data: png.toString('base64'), mediaType: 'image/png' })
    expect(requests[0]?.headers).not.toHaveProperty('authorization')
  })

  test('I1: come from no origin that is not in the list', async () => {
    const { outcome, requests } = await fetchFrom(image, { allow: ['https://images.example'] })
    expect(outcome).toMatchObject({ code: 'bad_request/invalid_request' })
    expect(requests).toHaveLength(0)
  })

  test('I1: a redirect is no image', async () => {
    const { outcome, requests } = await fetchFrom((response) =>
      response.writeHead(302, { location: 'http://169.254.169.254/latest' }).end(),
    )
    expect(outcome).toMatchObject({ message: expect.stringContaining('302') })
    expect(requests).toHaveLength(1)
  })

  test('I2: an allowed name that leads to this machine is not connected to', async () => {
    await using server = await serve(image)
    const origin = new URL(server.baseUrl).origin.replace('127.0.0.1', 'localhost')
    fetcher = createImageFetcher({ allow: [origin] })
    const error = await fetcher.fetch(`${origin}/a.png`).catch((caught: unknown) => caught)
    expect(error).toMatchObject({ code: 'bad_request/invalid_request' })
    expect(server.sockets).toHaveLength(0)
  })

  test('I2: an allowed address that is private is not connected to', async () => {
    const { outcome, requests } = await fetchFrom(image, { isAllowedAddress: isPublicAddress })
    expect(outcome).toMatchObject({ message: expect.stringContaining('private') })
    expect(requests).toHaveLength(0)
  })

  test.each([
    ...['127.0.0.1', '10.1.2.3', '172.20.0.1', '192.168.1.1', '169.254.169.254', '100.64.0.1', '0.0.0.0'],
    ...[
      '::1',
      '::',
      'fe80::1',
      'fd00::1',
      '::ffff:127.0.0.1',
      '::ffff:10.0.0.1',
      '64:ff9b::a00:1',
      'no address',
    ],
  ])('I2: %s is not public', (address) => expect(isPublicAddress(address)).toBe(false))

  test.each(['1.1.1.1', '2606:4700:4700::1111'])('I2: %s is public', (address) =>
    expect(isPublicAddress(address)).toBe(true),
  )

  test('I3: too large, too late and no image at all are refused', async () => {
    const large = await fetchFrom(image, { maxBytes: 50 })
    expect(large.outcome).toMatchObject({ message: expect.stringContaining('50 bytes') })
    const late = await fetchFrom((response) => void response.writeHead(200).flushHeaders(), {
      timeoutMs: 100,
    })
    expect(late.outcome).toMatchObject({ message: expect.stringContaining('in time') })
    const page = await fetchFrom((response) => response.end('<html>'))
    expect(page.outcome).toMatchObject({ message: expect.stringContaining('no PNG') })
  })

  test('an upstream with a fetcher is sent bytes, and a link that is not allowed fails before anything is sent', async () => {
    await using server = await serve((response) => sendJson(response, completion({ content: 'seen' })))
    const options = { protocol: 'openai-chat', baseUrl: server.baseUrl, model: 'm', stream: false } as const
    const seeing: ModelRequest = {
      messages: [{ role: 'user', content: [{ type: 'image', url: 'https://a.example/x.png' }] }],
    }
    const given = createUpstream({
      ...options,
      images: { fetch: async () => ({ type: 'image', data: 'AAAA', mediaType: 'image/png' }) },
    })
    expect(await given.attempt(seeing, () => {})).toMatchObject({ outcome: 'ok' })
    expect(server.requests[0]?.body).toContain('data:image/png;base64,AAAA')

    fetcher = createImageFetcher({ allow: [] })
    const refused = await createUpstream({ ...options, images: fetcher }).attempt(seeing, () => {})
    expect(refused).toMatchObject({ outcome: 'failed', phase: 'before_headers' })
    expect(refused.error?.code).toBe('bad_request/invalid_request')
    expect(refused.error?.message).not.toContain('a.example')
    expect(server.requests).toHaveLength(1)
  })

  test('a request gets its linked images as bytes, data URLs without a fetch', async () => {
    const asked: string[] = []
    const linked: ModelRequest = {
      messages: [
        { role: 'user', content: 'text' },
        {
          role: 'user',
          content: [
            { type: 'text', text: 'see' },
            { type: 'image', url: 'https://a.example/x.png' },
          ],
        },
        {
          role: 'tool',
          toolCallId: 't',
          name: 'n',
          content: [{ type: 'image', url: 'data:image/gif;base64,R0lGOA==' }],
        },
      ],
    }
    const inlined = await inlineImages(linked, {
      async fetch(url) {
        asked.push(url)
        return { type: 'image', data: 'AAAA', mediaType: 'image/png' }
      },
    })
    expect(asked).toEqual(['https://a.example/x.png'])
    expect(inlined.messages[1]?.content).toEqual([
      { type: 'text', text: 'see' },
      { type: 'image', data: 'AAAA', mediaType: 'image/png' },
    ])
    expect(inlined.messages[2]?.content).toEqual([
      { type: 'image', data: 'R0lGOA==', mediaType: 'image/gif' },
    ])
    const plain: ModelRequest = { messages: [{ role: 'user', content: 'text' }] }
    expect(await inlineImages(plain, { fetch: () => Promise.reject(new Error('unasked')) })).toBe(plain)
  })
})
