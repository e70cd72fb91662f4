import type { ResponseHeaders } from '../upstream.ts'
import { headerOf } from './retry-after.ts'

/** Most specific first: an id that the vendor's support can look up, then one of the edge before it. */
const NAMES = [
  'x-request-id',
  'request-id',
  'x-generation-id',
  'openai-request-id',
  'apim-request-id',
  'x-ms-request-id',
  'x-amzn-requestid',
  'x-groq-request-id',
  'cf-ray',
  'x-amz-cf-id',
] as const

/** The id by which the upstream, or else its edge, knows this request. */
export function requestIdOf(headers: ResponseHeaders): string | undefined {
  const name = NAMES.find((candidate) => headerOf(headers, candidate))
  return name && headerOf(headers, name)?.slice(0, 200)
}
