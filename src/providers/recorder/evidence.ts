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
  /** undefined where nothing was sent. */
  evidence(): Evidence | undefined
}

/** Kept beyond the excerpt, so that a secret at its end is recognised before the text is cut. */
const MARGIN_BYTES = 4096
const MOST_GAPS = 256

/** A keeper for one attempt. */
export function keepEvidence({ rawBytes, excerptBytes }: EvidenceOptions): EvidenceKeeper {
  const raw = keepEnds<Uint8Array>(rawBytes, ({ length }) => length)
  const gaps = keepEnds<number>(MOST_GAPS, () => 1)
  const decoded: Uint8Array[] = []
  let freeBytes = excerptBytes === 0 ? 0 : excerptBytes + MARGIN_BYTES
  let decodedBytes = 0
  let receivedBytes = 0
  let lastAtMs = 0
  let request: SentRequest | undefined

  return {
    sent(sentRequest) {
      request = sentRequest
    },
    headers(atMs) {
      lastAtMs = atMs
    },
    raw(chunk, atMs) {
      receivedBytes += chunk.length
      raw.add(chunk)
      gaps.add(atMs - lastAtMs)
      lastAtMs = atMs
    },
    decoded(chunk) {
      decodedBytes += chunk.length
      if (freeBytes <= 0) return
      decoded.push(chunk.length <= freeBytes ? chunk : chunk.subarray(0, freeBytes))
      freeBytes -= chunk.length
    },
    evidence: () =>
      request && {
        request,
        raw: raw.ends(),
        rawBytes: receivedBytes,
        decoded,
        decodedBytes,
        gapsMs: gaps.ends(),
      },
  }
}

type EndsKeeper<T> = { add(piece: T): void; ends(): Ends<T> }

/** Half of `most` for the beginning, the other half for the end. A piece that fills a half is kept whole there. */
function keepEnds<T>(most: number, sizeOf: (piece: T) => number): EndsKeeper<T> {
  const head: T[] = []
  const tail: T[] = []
  let headSize = 0
  let tailSize = 0
  let omitted = 0
  const half = most / 2
  return {
    add(piece) {
      const size = sizeOf(piece)
      if (headSize < half) {
        head.push(piece)
        headSize += size
        return
      }
      tail.push(piece)
      tailSize += size
      while (tailSize - sizeOf(tail[0]!) >= half) {
        const dropped = sizeOf(tail.shift()!)
        tailSize -= dropped
        omitted += dropped
      }
    },
    ends: () => ({ head: [...head], tail: [...tail], omitted }),
  }
}
