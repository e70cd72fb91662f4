/**
 * What of one exchange may be wanted for a record, kept by reference while the attempt runs and let go with its
 * report. Nothing is copied, decoded or written here: a good attempt pays for a few array entries.
 *
 * E1. What is kept is bounded, however long the answer: the first and the last bytes, the first and the last gaps.
 */

/** The first and the last pieces of something long. */
export type Ends<T> = { readonly head: readonly T[]; readonly tail: readonly T[]; readonly omitted: number }

export type Evidence = {
  readonly request: SentRequest
  /** The body as it came over the wire; `omitted` counts bytes. */
  readonly raw: Ends<Uint8Array>
  readonly rawBytes: number
  /** The beginning of the body with its content encoding undone. */
  readonly decoded: readonly Uint8Array[]
  readonly decodedBytes: number
  /** Milliseconds between chunks of the body, the first one after the headers. */
  readonly gapsMs: Ends<number>
}

export type SentRequest = {
  readonly method: string
  readonly url: URL
  readonly headers: Readonly<Record<string, string>>
  readonly body: string
}

export type EvidenceOptions = {
  /** Most bytes of the body as it came. */
  readonly rawBytes: number
  /** Most bytes of readable text that a record will show. */
  readonly excerptBytes: number
}

export type EvidenceKeeper = {
  sent(request: SentRequest): void
  headers(atMs: number): void
  raw(chunk: Uint8Array, atMs: number): void
  decoded(chunk: Uint8Array): void
  /** What was kept until now, and the end of keeping: what still drains from the connection is not added. undefined where nothing was sent. */
  evidence(): Evidence | undefined
}

/** Kept beyond the excerpt, so that a secret at its end is recognised before the text is cut. */
const MARGIN_BYTES = 4096
const MOST_GAPS = 256

/** A keeper for one attempt. */
export function keepEvidence(options: EvidenceOptions): EvidenceKeeper {
  return new Keeper(options)
}

/** A class, like `KeptEnds`, since every attempt has one. */
class Keeper implements EvidenceKeeper {
  readonly #raw: KeptEnds<Uint8Array>
  readonly #gaps = new KeptEnds<number>(MOST_GAPS, countOne)
  readonly #decoded: Uint8Array[] = []
  #freeBytes: number
  #decodedBytes = 0
  #receivedBytes = 0
  #lastAtMs = 0
  #request: SentRequest | undefined
  #isGiven = false

  constructor({ rawBytes, excerptBytes }: EvidenceOptions) {
    this.#raw = new KeptEnds(rawBytes, lengthOf)
    this.#freeBytes = excerptBytes === 0 ? 0 : excerptBytes + MARGIN_BYTES
  }

  sent(request: SentRequest): void {
    this.#request = request
  }

  headers(atMs: number): void {
    this.#lastAtMs = atMs
  }

  raw(chunk: Uint8Array, atMs: number): void {
    if (this.#isGiven) return
    this.#receivedBytes += chunk.length
    this.#raw.add(chunk)
    this.#gaps.add(atMs - this.#lastAtMs)
    this.#lastAtMs = atMs
  }

  decoded(chunk: Uint8Array): void {
    this.#decodedBytes += chunk.length
    if (this.#freeBytes <= 0) return
    this.#decoded.push(chunk.length <= this.#freeBytes ? chunk : chunk.subarray(0, this.#freeBytes))
    this.#freeBytes -= chunk.length
  }

  evidence(): Evidence | undefined {
    if (this.#request === undefined) return undefined
    this.#isGiven = true
    return {
      request: this.#request,
      raw: this.#raw,
      rawBytes: this.#receivedBytes,
      decoded: this.#decoded,
      decodedBytes: this.#decodedBytes,
      gapsMs: this.#gaps,
    }
  }
}

/** Half of `most` for the beginning, the other half for the end. A piece that fills a half is kept whole there. */
class KeptEnds<T> implements Ends<T> {
  readonly head: T[] = []
  readonly tail: T[] = []
  omitted = 0
  readonly #half: number
  readonly #sizeOf: (piece: T) => number
  #headSize = 0
  #tailSize = 0

  constructor(most: number, sizeOf: (piece: T) => number) {
    this.#half = most / 2
    this.#sizeOf = sizeOf
  }

  add(piece: T): void {
    const size = this.#sizeOf(piece)
    if (this.#headSize < this.#half) {
      this.head.push(piece)
      this.#headSize += size
      return
    }
    this.tail.push(piece)
    this.#tailSize += size
    while (this.#tailSize - this.#sizeOf(this.tail[0]!) >= this.#half) {
      const dropped = this.#sizeOf(this.tail.shift()!)
      this.#tailSize -= dropped
      this.omitted += dropped
    }
  }
}

function lengthOf({ length }: Uint8Array): number {
  return length
}

function countOne(): number {
  return 1
}
