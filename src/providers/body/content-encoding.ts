/**
 * Undoes the content encoding of a body. We ask for none (`Accept-Encoding: identity`); some upstreams compress
 * nevertheless, and some label as compressed what is not.
 */

import { createBrotliDecompress, createGunzip, createInflate, createZstdDecompress } from 'node:zlib'

import { TurnkeeperError } from '../../errors.ts'

/** Where decoded bytes go. Exactly one of `end` and `fail` is called, last. */
export type ByteSink = {
  push(chunk: Uint8Array): void
  end(): void
  fail(error: TurnkeeperError): void
}

export type Decoder = {
  push(chunk: Uint8Array): void
  end(): void
  /** Gives up; nothing is called any more. */
  close(): void
}

/** Output beyond this share of the input is an attack or an accident; text compresses 5 to 30 times. */
const MAX_RATIO = 200
const RATIO_FROM_BYTES = 1_048_576

const DECODERS = {
  gzip: createGunzip,
  'x-gzip': createGunzip,
  deflate: createInflate,
  br: createBrotliDecompress,
  zstd: createZstdDecompress,
} as const

/**
 * A decoder for `encoding` (a Content-Encoding header) into `sink`; undefined where there is nothing to undo.
 * An unknown or stacked encoding, a body that is not encoded as it says, one that ends too early or one that
 * swells beyond measure calls `sink.fail`.
 */
export function createDecoder(encoding: string | undefined, sink: ByteSink): Decoder | undefined {
  const name = encoding?.trim().toLowerCase() ?? ''
  if (name === '' || name === 'identity') return undefined
  if (!(name in DECODERS)) {
    const error = new TurnkeeperError('binary_payload', 'the body has a content encoding that we cannot undo')
    return { push: () => sink.fail(error), end: () => sink.fail(error), close: () => {} }
  }
  // `in` has just shown that it is a key.
  return createZlibDecoder(name as keyof typeof DECODERS, sink)
}

function createZlibDecoder(name: keyof typeof DECODERS, sink: ByteSink): Decoder {
  const stream = DECODERS[name]()
  let bytesIn = 0
  let bytesOut = 0

  const close = (): void => {
    stream.removeAllListeners()
    stream.on('error', () => {})
    stream.destroy()
  }
  const fail = (error: TurnkeeperError): void => {
    close()
    sink.fail(error)
  }
  stream.on('data', (chunk: Buffer) => {
    bytesOut += chunk.length
    if (bytesOut > RATIO_FROM_BYTES && bytesOut > bytesIn * MAX_RATIO) {
      return fail(new TurnkeeperError('binary_payload', `the body swells more than ${MAX_RATIO} times`))
    }
    sink.push(chunk)
  })
  stream.on('end', () => sink.end())
  stream.on('error', (cause: NodeJS.ErrnoException) => fail(decodingError(name, cause)))
  return {
    push(chunk) {
      bytesIn += chunk.length
      stream.write(chunk)
    },
    end: () => stream.end(),
    close,
  }
}

function decodingError(name: string, cause: NodeJS.ErrnoException): TurnkeeperError {
  return cause.code === 'Z_BUF_ERROR' || /unexpected end/.test(cause.message)
    ? new TurnkeeperError('truncated_stream', `the ${name} body ended too early`, { cause })
    : new TurnkeeperError('binary_payload', `the body is labelled ${name} and is not`, { cause })
}
