/**
 * What of one exchange may be wanted for a record, kept by reference while the attempt runs and let go with its
 * report. Nothing is copied, decoded or written here: a good attempt pays for a few array entries.
 *
 * E1. What is kept is bounded, however long the answer: the first and the last bytes, the first and the last gaps.
 */

import { BytePieces } from './byte-pieces.ts'

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

/** A class, like those below, since every attempt has one. */
class Keeper implements EvidenceKeeper {
  readonly #raw: KeptBytes
  readonly #gaps = new KeptGaps()
  readonly #decoded = new BytePieces()
  readonly #mostDecoded: number
  #decodedBytes = 0
  #receivedBytes = 0
  #lastAtMs = 0
  #request: SentRequest | undefined
  #isGiven = false

  constructor({ rawBytes, excerptBytes }: EvidenceOptions) {
    this.#raw = new KeptBytes(rawBytes)
    this.#mostDecoded = excerptBytes === 0 ? 0 : excerptBytes + MARGIN_BYTES
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
    const freeBytes = this.#mostDecoded - this.#decoded.sizeBytes
    if (freeBytes > 0) this.#decoded.push(chunk, freeBytes)
  }

  evidence(): Evidence | undefined {
    if (this.#request === undefined) return undefined
    this.#isGiven = true
    return new Given(this.#request, {
      raw: this.#raw,
      rawBytes: this.#receivedBytes,
      decoded: this.#decoded,
      decodedBytes: this.#decodedBytes,
      gapsMs: this.#gaps,
    })
  }
}

type Kept = Pick<Evidence, 'rawBytes' | 'decodedBytes' | 'gapsMs'> & {
  readonly raw: KeptBytes
  readonly decoded: BytePieces
}

/** Puts bytes together only where somebody looks at them, which nobody does for most good attempts. */
class Given implements Evidence {
  readonly request: SentRequest
  readonly rawBytes: number
  readonly decodedBytes: number
  readonly gapsMs: Ends<number>
  readonly #kept: Kept

  constructor(request: SentRequest, kept: Kept) {
    this.request = request
    this.rawBytes = kept.rawBytes
    this.decodedBytes = kept.decodedBytes
    this.gapsMs = kept.gapsMs
    this.#kept = kept
  }

  get raw(): Ends<Uint8Array> {
    const { head, tail, omitted } = this.#kept.raw
    return { head: head.toChunks(), tail: tail.toChunks(), omitted }
  }

  get decoded(): readonly Uint8Array[] {
    return this.#kept.decoded.toChunks()
  }
}

/** Half of `most` for the beginning, the other half for the end. A piece that fills a half is kept whole there. */
class KeptBytes {
  readonly head = new BytePieces()
  readonly tail = new BytePieces()
  omitted = 0
  readonly #half: number

  constructor(most: number) {
    this.#half = most / 2
  }

  add(chunk: Uint8Array): void {
    const { head, tail } = this
    if (head.sizeBytes < this.#half) {
      head.push(chunk)
      return
    }
    tail.push(chunk)
    while (tail.sizeBytes - tail.firstSize >= this.#half) {
      this.omitted += tail.firstSize
      tail.shift()
    }
  }
}

class KeptGaps implements Ends<number> {
  readonly head: number[] = []
  readonly tail: number[] = []
  omitted = 0

  add(gapMs: number): void {
    if (this.head.length < MOST_GAPS / 2) {
      this.head.push(gapMs)
      return
    }
    this.tail.push(gapMs)
    if (this.tail.length <= MOST_GAPS / 2) return
    this.tail.shift()
    this.omitted++
  }
}
