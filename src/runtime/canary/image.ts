import { crc32, deflateSync } from 'node:zlib'
import type { ImageContent } from '../../providers/types.ts'

/** Vendors refuse images of a few pixels; this is above the least that any of them names (28). */
const SIDE = 64
const BLUE = [0x1f, 0x4f, 0xd8] as const
const SIGNATURE = Buffer.from([0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a])
/** Bits a channel, colour type RGB; the usual compression and filter, not interlaced. */
const DEPTH_AND_KIND = [8, 2, 0, 0, 0] as const

/** A blue square as a PNG of about 200 bytes (https://www.w3.org/TR/png-3/). */
export function blueSquare(): Extract<ImageContent, { readonly data: string }> {
  const header = Buffer.alloc(13)
  header.writeUInt32BE(SIDE, 0)
  header.writeUInt32BE(SIDE, 4)
  header.set(DEPTH_AND_KIND, 8)
  // Each line begins with its filter: none.
  const line = [0, ...Array.from({ length: SIDE }, () => BLUE).flat()]
  const pixels = deflateSync(Buffer.from(Array.from({ length: SIDE }, () => line).flat()))
  const png = Buffer.concat([SIGNATURE, chunk('IHDR', header), chunk('IDAT', pixels), chunk('IEND')])
  return { type: 'image', data: png.toString('base64'), mediaType: 'image/png' }
}

function chunk(type: string, data: Buffer = Buffer.alloc(0)): Buffer {
  const body = Buffer.concat([Buffer.from(type, 'latin1'), data])
  const out = Buffer.alloc(body.length + 8)
  out.writeUInt32BE(data.length, 0)
  body.copy(out, 4)
  out.writeUInt32BE(crc32(body), body.length + 4)
  return out
}
