/** What an attempt is made on: one route, with all that it needs. */

import type { Redactor } from '../../telemetry/redaction.ts'
import type { Attributes, Telemetry } from '../../telemetry/telemetry.ts'
import type { HttpClient } from '../http.ts'
import type { Dialect } from '../protocols/dialects.ts'
import type { Protocol } from '../protocols/protocol.ts'
import type { EvidenceOptions } from '../recorder/evidence.ts'
import type { Limits, Timeouts } from '../types.ts'
import type { Silences } from './silences.ts'

/** What stays the same for all attempts on a route. */
export type Target = {
  readonly protocol: Protocol
  readonly dialect: Dialect
  readonly url: URL
  readonly model: string
  /** `provider/model`. */
  readonly route: string
  readonly provider: string
  readonly apiKey?: string
  readonly stream: boolean
  readonly headers: Readonly<Record<string, string>>
  readonly timeouts: Timeouts
  readonly limits: Limits
  readonly http: HttpClient
  readonly telemetry: Telemetry
  /** Of the span of each request. */
  readonly spanAttributes: Attributes
  /** Of what is quoted in errors. */
  readonly redactor: Redactor
  /** Where streams that are open show how silent they are. */
  readonly silences?: Silences
  /** How much of each exchange is kept for the recorder. */
  readonly evidence?: EvidenceOptions
}

/** What the span of a request to this URL says from its start. */
export function spanAttributesOf(url: URL, route: string): Attributes {
  return {
    'http.request.method': 'POST',
    'server.address': url.hostname,
    'server.port': Number(url.port) || (url.protocol === 'https:' ? 443 : 80),
    'turnkeeper.route': route,
  }
}
