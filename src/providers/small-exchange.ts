import { TurnkeeperError } from '../errors.ts'
import type { HttpClient, HttpRequest } from './http.ts'

/** An answer that is small enough to be held whole. */
export type SmallAnswer = { readonly status: number; readonly text: string }

export type SmallExchangeOptions = {
  readonly signal: AbortSignal
  /** A longer answer is an error, in bytes. Default 1 MB. */
  readonly maxBytes?: number
}

/**
 * One request and its whole answer, outside of the attempts: model lists, token endpoints. Rejects with
 * `network/connection` when the answer is late (`signal`) or too large, and as the HTTP client does otherwise.
 */
export function exchangeSmall(
  http: HttpClient,
  request: HttpRequest,
  { signal, maxBytes = 1_048_576 }: SmallExchangeOptions,
): Promise<SmallAnswer> {
  return new Promise((resolve, reject) => {
    const chunks: Uint8Array[] = []
    let sizeBytes = 0
    let status = 0
    const giveUp = (problem: string): void => {
      exchange.abort()
      reject(new TurnkeeperError('connection', `${request.url.host} ${problem}`))
    }
    const onAbort = (): void => giveUp('did not answer in time')
    const exchange = http.send(request, {
      onSent() {},
      onHeaders(code) {
        status = code
      },
      onData(chunk) {
        sizeBytes += chunk.length
        if (sizeBytes > maxBytes) giveUp(`sent more than ${maxBytes} bytes`)
        else chunks.push(chunk)
      },
      onEnd() {
        signal.removeEventListener('abort', onAbort)
        resolve({ status, text: Buffer.concat(chunks).toString('utf8') })
      },
      onError: reject,
    })
    if (signal.aborted) onAbort()
    else signal.addEventListener('abort', onAbort, { once: true })
  })
}
