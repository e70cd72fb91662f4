/**
 * The bytes of a body as they may be kept: as they came, with known secrets masked in place. A compressed body
 * cannot be masked; it is withheld where a secret stands inside it.
 */

import { isUtf8 } from 'node:buffer'
import { brotliDecompressSync, constants, gunzipSync, inflateSync, zstdDecompressSync } from 'node:zlib'

import type { Redactor } from '../../telemetry/redaction.ts'
import type { Evidence } from './evidence.ts'
import type { RecordLine } from './record.ts'

type KeptRaw = Pick<RecordLine, 'rawHead' | 'rawTail' | 'omittedBytes' | 'rawWithheld'>

/** Decoded for the search; a body that swells beyond it cannot be searched. */
const SEARCH_BYTES = 4_194_304
/** Encodings on top of each other that are undone for the search. */
const MOST_LAYERS = 3

/** The raw part of a record's line. `encoding` is the Content-Encoding that the response claimed. */
export function rawOf({ raw }: Evidence, encoding: string | undefined, redactor: Redactor): KeptRaw {
  const isCut = raw.omitted > 0
  const head = Buffer.concat(isCut ? raw.head : [...raw.head, ...raw.tail])
  if (head.length === 0) return {}
  const hidden = hiddenSecret(head, encoding, redactor)
  if (hidden !== undefined) return { rawWithheld: hidden }
  const rawHead = maskBytes(head, redactor, { cutEnd: isCut }).toString('base64')
  if (!isCut) return { rawHead }
  const tail = maskBytes(Buffer.concat(raw.tail), redactor, { cutStart: true })
  return { rawHead, omittedBytes: raw.omitted, rawTail: tail.toString('base64') }
}

function maskBytes(
  bytes: Buffer,
  redactor: Redactor,
  edges: { readonly cutStart?: boolean; readonly cutEnd?: boolean },
): Buffer {
  const encoding = isUtf8(bytes) ? 'utf8' : 'latin1'
  const text = bytes.toString(encoding)
  const masked = redactor.text(text, edges)
  return masked === text ? bytes : Buffer.from(masked, encoding)
}

/** Why the bytes must not be kept; undefined where nothing secret is hidden in their compression. */
function hiddenSecret(bytes: Buffer, encoding: string | undefined, redactor: Redactor): string | undefined {
  let inner = bytes
  for (let layer = 0; layer < MOST_LAYERS; layer++) {
    const decoded = decompress(inner, layer === 0 ? encoding : undefined)
    if (decoded === 'too large') return 'too much is compressed in it to search it for secrets'
    if (decoded === undefined) return undefined
    const text = decoded.toString('utf8')
    if (redactor.text(text) !== text) return 'a secret stands in its compressed text'
    inner = decoded
  }
  return undefined
}

/** As far as the bytes go, whatever their label says; undefined where they are not compressed. */
function decompress(bytes: Buffer, label = ''): Buffer | 'too large' | undefined {
  const open = decompressorOf(bytes, label.trim().toLowerCase())
  try {
    return open?.(bytes)
  } catch (error) {
    const isLarge = error instanceof Error && 'code' in error && error.code === 'ERR_BUFFER_TOO_LARGE'
    return isLarge ? 'too large' : undefined
  }
}

function decompressorOf(bytes: Buffer, label: string): ((bytes: Buffer) => Buffer) | undefined {
  const bounds = { maxOutputLength: SEARCH_BYTES }
  const zlib = { ...bounds, finishFlush: constants.Z_SYNC_FLUSH }
  if (bytes[0] === 0x1f && bytes[1] === 0x8b) return (body) => gunzipSync(body, zlib)
  if (bytes[0] === 0x28 && bytes[1] === 0xb5) {
    return (body) => zstdDecompressSync(body, { ...bounds, finishFlush: constants.ZSTD_e_flush })
  }
  if (label.includes('br')) {
    return (body) => brotliDecompressSync(body, { ...bounds, finishFlush: constants.BROTLI_OPERATION_FLUSH })
  }
  return label.includes('deflate') ? (body) => inflateSync(body, zlib) : undefined
}
