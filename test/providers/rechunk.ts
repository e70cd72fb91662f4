/** Cuts fixtures at random, so that no test depends on where the network cuts. */

export type Seeded = { readonly seed: number; readonly random: () => number }

/** A random source whose seed is printed, and can be given again with SEED. */
export function seeded(name: string): Seeded {
  const seed = Number(process.env.SEED ?? Math.floor(Math.random() * 2 ** 31))
  console.log(`${name}: SEED=${seed}`)
  let state = seed
  const random = (): number => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4294967296
  }
  return { seed, random }
}

/** `text` as UTF-8, in pieces of 1 to `max` bytes. */
export function rechunk(text: string, source: Seeded, max = 24): Uint8Array[] {
  return rechunkBytes(Buffer.from(text), source, max)
}

export function rechunkBytes(bytes: Uint8Array, { random }: Seeded, max = 24): Uint8Array[] {
  const chunks: Uint8Array[] = []
  for (let at = 0; at < bytes.length; ) {
    const size = 1 + Math.floor(random() * max)
    chunks.push(bytes.subarray(at, at + size))
    at += size
  }
  return chunks
}
