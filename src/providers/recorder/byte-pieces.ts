/**
 * Bytes that came in pieces, where they are: in which block of memory, from where, how many. Kept like this, a piece is
 * three array entries; a typed array each would be an object of 100 bytes, and those of the answers under way were what
 * a scavenge had to copy most (a quarter of all that outlived one).
 */
export class BytePieces {
  readonly #blocks: ArrayBufferLike[] = []
  readonly #starts: number[] = []
  readonly #sizes: number[] = []
  sizeBytes = 0

  /** Keeps at most the first `mostBytes` of `chunk`. */
  push(chunk: Uint8Array, mostBytes = chunk.length): void {
    const size = Math.min(chunk.length, mostBytes)
    this.#blocks.push(chunk.buffer)
    this.#starts.push(chunk.byteOffset)
    this.#sizes.push(size)
    this.sizeBytes += size
  }

  /** Of the first piece; 0 where there is none. */
  get firstSize(): number {
    return this.#sizes[0] ?? 0
  }

  /** Lets the first piece go. */
  shift(): void {
    this.sizeBytes -= this.firstSize
    this.#blocks.shift()
    this.#starts.shift()
    this.#sizes.shift()
  }

  toChunks(): Uint8Array[] {
    return this.#blocks.map((block, at) => new Uint8Array(block, this.#starts[at], this.#sizes[at]))
  }
}
