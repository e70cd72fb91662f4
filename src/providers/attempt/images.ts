/**
 * Images for upstreams that take no URLs: fetched by us, from where the operator allows it, and no further.
 *
 * I1. Nothing is fetched from an origin that is not in the list, and redirects are not followed.
 * I2. No address of this machine or its network is connected to, whatever name leads there.
 * I3. A body is bounded in size and time, and must be an image by its first bytes.
 */

import { BlockList, isIP } from 'node:net'

import { TurnkeeperError } from '../../errors.ts'
import { createHttpClient, type HttpClient } from '../http.ts'
import type { ContentPart, ImageContent, Message, ModelRequest } from '../types.ts'

/** An image with its bytes. */
export type InlineImage = Extract<ImageContent, { readonly data: string }>

export type ImageFetcher = {
  /** Rejects with `bad_request/invalid_request` for what must not or cannot be fetched. */
  fetch(url: string, options?: { readonly signal?: AbortSignal }): Promise<InlineImage>
  close(): Promise<void>
}

export type ImageFetcherOptions = {
  /** Origins that may be fetched from, such as `https://images.example.com`. */
  readonly allow: readonly string[]
  /** Default 10 MB. */
  readonly maxBytes?: number
  /** Default 15 s. */
  readonly timeoutMs?: number
  /** Default: public addresses alone. */
  readonly isAllowedAddress?: (address: string) => boolean
}

const MAX_BYTES = 10_485_760
const TIMEOUT_MS = 15_000

/** A fetcher with connections of its own. */
export function createImageFetcher(options: ImageFetcherOptions): ImageFetcher {
  const { allow, maxBytes = MAX_BYTES, timeoutMs = TIMEOUT_MS } = options
  const { isAllowedAddress = isPublicAddress } = options
  const origins = new Set(allow.map((origin) => URL.parse(origin)?.origin).filter(Boolean))
  const http = createHttpClient({ connections: 8, connectMs: timeoutMs, isAllowedAddress })
  return {
    async fetch(text, { signal } = {}) {
      const url = URL.parse(text)
      if (url === null || !origins.has(url.origin)) {
        // The link is the caller's content, so the message does not name it.
        throw refused('an image is linked from an origin that is not in images.allow: send its bytes instead')
      }
      const host = url.hostname.replace(/^\[|\]$/g, '')
      if (isIP(host) !== 0 && !isAllowedAddress(host))
        throw refused('images from private addresses are not fetched')
      const limit = AbortSignal.timeout(timeoutMs)
      const bytes = await download(http, url, {
        maxBytes,
        signal: signal === undefined ? limit : AbortSignal.any([signal, limit]),
      })
      const mediaType = mediaTypeOf(bytes)
      if (mediaType === undefined) throw refused(`what ${url.origin} sent is no PNG, JPEG, GIF or WebP image`)
      return { type: 'image', data: bytes.toString('base64'), mediaType }
    },
    close: () => http.close(),
  }
}

/** The request with every image as bytes; itself where none is a URL. Data URLs need no fetcher. */
export async function inlineImages(
  request: ModelRequest,
  fetcher: Pick<ImageFetcher, 'fetch'>,
  options: { readonly signal?: AbortSignal } = {},
): Promise<ModelRequest> {
  if (!request.messages.some(({ content }) => typeof content !== 'string' && content.some(isLinked))) {
    return request
  }
  const inline = async (part: ContentPart): Promise<ContentPart> =>
    isLinked(part) ? (dataUrlToImage(part.url) ?? (await fetcher.fetch(part.url, options))) : part
  const messages = await Promise.all(
    request.messages.map(async (message): Promise<Message> => {
      if (message.role === 'assistant' || typeof message.content === 'string') return message
      return { ...message, content: await Promise.all(message.content.map(inline)) }
    }),
  )
  return { ...request, messages }
}

/** The bytes in a `data:` URL; undefined for any other URL. */
function dataUrlToImage(url: string): InlineImage | undefined {
  const [, mediaType, data] = /^data:(image\/[\w.+-]{1,40});base64,([A-Za-z0-9+/=]*)$/.exec(url) ?? []
  return mediaType === undefined || data === undefined ? undefined : { type: 'image', data, mediaType }
}

function isLinked(part: ContentPart): part is Extract<ImageContent, { readonly url: string }> {
  return part.type === 'image' && 'url' in part
}

function download(
  http: HttpClient,
  url: URL,
  { maxBytes, signal }: { readonly maxBytes: number; readonly signal: AbortSignal },
): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const chunks: Uint8Array[] = []
    let sizeBytes = 0
    const give = (error: TurnkeeperError): void => {
      signal.removeEventListener('abort', onAbort)
      exchange.abort()
      reject(error)
    }
    const onAbort = (): void => give(refused(`the image of ${url.origin} did not come in time`))
    const headers = { accept: 'image/*', 'accept-encoding': 'identity', 'user-agent': 'turnkeeper' }
    const exchange = http.send(
      { method: 'GET', url, headers, body: '' },
      {
        onSent: () => {},
        onHeaders(status) {
          if (status !== 200) give(refused(`${url.origin} answered ${status} instead of an image`))
        },
        onData(chunk) {
          sizeBytes += chunk.length
          if (sizeBytes > maxBytes) give(refused(`the image of ${url.origin} exceeds ${maxBytes} bytes`))
          else chunks.push(chunk)
        },
        onEnd() {
          signal.removeEventListener('abort', onAbort)
          resolve(Buffer.concat(chunks))
        },
        onError: (cause) => reject(refused(`${url.origin} cannot be reached for an image`, cause)),
      },
    )
    if (signal.aborted) onAbort()
    else signal.addEventListener('abort', onAbort, { once: true })
  })
}

/** By the first bytes: labels lie, and an upstream would refuse what it cannot read. */
function mediaTypeOf(bytes: Buffer): string | undefined {
  const head = bytes.toString('latin1', 0, 12)
  if (head.startsWith('\x89PNG\r\n')) return 'image/png'
  if (head.startsWith('\xff\xd8\xff')) return 'image/jpeg'
  if (head.startsWith('GIF8')) return 'image/gif'
  return head.startsWith('RIFF') && head.endsWith('WEBP') ? 'image/webp' : undefined
}

/** False for loopback, private, link-local (cloud metadata among them), shared, multicast and reserved addresses. */
export function isPublicAddress(address: string): boolean {
  switch (isIP(address)) {
    case 4:
      return !listOf(RESERVED_V4, 'ipv4').check(address, 'ipv4')
    case 6:
      return !listOf(RESERVED_V6, 'ipv6').check(address, 'ipv6')
    default:
      return false
  }
}

/** https://www.iana.org/assignments/iana-ipv4-special-registry */
const RESERVED_V4 = [
  ...['0.0.0.0/8', '10.0.0.0/8', '100.64.0.0/10', '127.0.0.0/8', '169.254.0.0/16', '172.16.0.0/12'],
  ...['192.0.0.0/24', '192.0.2.0/24', '192.168.0.0/16', '198.18.0.0/15', '198.51.100.0/24'],
  ...['203.0.113.0/24', '224.0.0.0/4', '240.0.0.0/4'],
]
/** Its sister; what embeds an IPv4 address (mapped, NAT64, 6to4) is refused as a whole. */
const RESERVED_V6 = [
  ...['::/96', '::ffff:0:0/96', '64:ff9b::/32', '100::/64', '2001::/23', '2001:db8::/32', '2002::/16'],
  ...['fc00::/7', 'fe80::/10', 'fec0::/10', 'ff00::/8'],
]

/** Of one family alone: a block of mapped addresses would match every IPv4 address too. */
function listOf(blocks: readonly string[], family: 'ipv4' | 'ipv6'): BlockList {
  const list = new BlockList()
  for (const block of blocks) {
    const [address = '', bits] = block.split('/')
    list.addSubnet(address, Number(bits), family)
  }
  return list
}

function refused(message: string, cause?: unknown): TurnkeeperError {
  return new TurnkeeperError('invalid_request', message, cause === undefined ? {} : { cause })
}
