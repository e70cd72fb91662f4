import { type Reason, TurnkeeperError } from '../../errors.ts'

const MESSAGES = {
  dns: 'the host name of the upstream could not be resolved',
  tls: 'no TLS connection to the upstream could be made',
  timeout_connect: 'no connection to the upstream within the connect timeout',
  connection: 'the connection to the upstream failed',
  truncated_stream: 'the connection broke in the middle of the response',
  server_error: 'the upstream sent a response that HTTP does not allow',
  invalid_config: 'the request cannot be sent: check base URL, key and headers',
} as const satisfies Partial<Record<Reason, string>>

/** The error for a failed exchange, by the code of its cause; `sawResponse`: response headers had come. */
export function networkError(cause: Error, sawResponse: boolean): TurnkeeperError {
  const reason = sawResponse ? 'truncated_stream' : reasonOf(codeOf(cause))
  return new TurnkeeperError(reason, MESSAGES[reason], { cause })
}

function reasonOf(code: string): keyof typeof MESSAGES {
  if (code === 'ENOTFOUND' || code === 'EAI_AGAIN' || code === 'EAI_FAIL') return 'dns'
  if (code === 'UND_ERR_CONNECT_TIMEOUT' || code === 'ETIMEDOUT') return 'timeout_connect'
  if (/^(ERR_TLS|ERR_SSL|CERT_|UNABLE_TO_|DEPTH_ZERO|SELF_SIGNED|HOSTNAME_MISMATCH|EPROTO)/.test(code))
    return 'tls'
  if (code === 'UND_ERR_INVALID_ARG') return 'invalid_config'
  return code.startsWith('HPE_') || code === 'UND_ERR_HEADERS_OVERFLOW' ? 'server_error' : 'connection'
}

/** The code of the error, or of the first one inside it (several addresses were tried). */
function codeOf(error: Error): string {
  const { code } = error as NodeJS.ErrnoException // what node:net, node:tls and undici throw
  if (typeof code === 'string') return code
  const inner: unknown = error instanceof AggregateError ? error.errors[0] : error.cause
  return inner instanceof Error ? codeOf(inner) : ''
}
