/** What support people ask for first: request ids, and who answered in the upstream's place. */

import type { Headers } from './record.ts'

/**
 * Names of headers that carry an id of the request: OpenAI and xAI `x-request-id`, Anthropic `request-id`,
 * OpenRouter `x-generation-id`, Azure `apim-request-id` and `x-ms-*`, AWS `x-amzn-*`, Google `x-cloud-trace-context`,
 * Cloudflare `cf-ray`, and whatever else calls itself so.
 */
const REQUEST_ID =
  /^(?:cf-ray|x-amz-cf-id|x-amz-id-2|x-cloud-trace-context|x-b3-traceid|traceparent|x-azure-ref|x-vercel-id|(?:.*-)?(?:request|generation|correlation|trace|activity)-?id)$/

const EDGE =
  /^(?:server|via|x-served-by|x-cache|x-powered-by|cf-ray|cf-cache-status|cf-mitigated|x-amz-cf-pop|x-vercel-id|x-azure-ref|fly-request-id|x-proxy-by|x-cdn|x-iinfo)$/

/** Cloudflare prints it on its error pages, with or without a label of its own markup around the value. */
const RAY_ID = /\bRay ID:?\s{0,4}(?:<[^>]{0,80}>\s{0,4}){0,3}([0-9a-f]{12,20})\b/i
/** The id of an OpenRouter answer, by which its support finds the upstream that was used. */
const GENERATION = /"id"\s{0,4}:\s{0,4}"(gen-[\w-]{4,80})"/
const TITLE = /<title[^>]{0,200}>([^<]{0,300})/i

/** Every id under which somebody may know the request. */
export function requestIdsOf(headers: Headers, body: string): Readonly<Record<string, string>> {
  const [, generation] = GENERATION.exec(body) ?? []
  return { ...matching(headers, REQUEST_ID), ...(generation !== undefined && { generation }) }
}

/** What servers on the way say of themselves, in headers and on their pages. */
export function edgeMarksOf(headers: Headers, body: string): Readonly<Record<string, string>> {
  const [, ray] = RAY_ID.exec(body) ?? []
  return { ...matching(headers, EDGE), ...(ray !== undefined && { 'ray id on the page': ray }) }
}

/** The title of an HTML page in one line. */
export function titleOf(body: string): string | undefined {
  const [, title] = TITLE.exec(body) ?? []
  const line = title?.replace(/\s+/g, ' ').trim()
  return line === '' ? undefined : line
}

function matching(headers: Headers, names: RegExp): Record<string, string> {
  return Object.fromEntries(
    Object.entries(headers)
      .filter(([name]) => names.test(name.toLowerCase()))
      .map(([name, value]) => [name.toLowerCase(), String(typeof value === 'string' ? value : value[0])]),
  )
}
