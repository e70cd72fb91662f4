import type { TurnkeeperError } from '../../errors.ts'
import type { WireError } from './encoder.ts'

const STATUS: Readonly<Record<string, readonly [status: number, type: string]>> = {
  auth: [401, 'authentication_error'],
  rate_limit: [429, 'rate_limit_exceeded'],
  not_found: [404, 'not_found_error'],
  bad_request: [400, 'invalid_request_error'],
}

/** An error of ours as an upstream would report it: its message is ours already, so it may be shown. */
export function wireErrorOf({ category, reason, message }: TurnkeeperError): WireError {
  if (reason === 'overloaded') return { status: 529, type: 'overloaded_error', message }
  const [status, type] = STATUS[category] ?? [500, 'server_error']
  return { status, type, message }
}
