import type { ReceivedSpan } from './otlp-receiver.ts'

/** Attributes by name, each with its plain value. */
export function attributesOf(
  carrier:
    | Pick<ReceivedSpan, 'attributes'>
    | { readonly attributes?: ReceivedSpan['attributes'] }
    | undefined,
): Record<string, unknown> {
  return Object.fromEntries((carrier?.attributes ?? []).map(({ key, value }) => [key, plainValue(value)]))
}

function plainValue(value: ReceivedSpan['attributes'][number]['value']): unknown {
  const [plain] = Object.values(value)
  const items = (plain as { values?: (typeof value)[] } | undefined)?.values // of an arrayValue
  return items?.map(plainValue) ?? plain
}

/** The spans of one trace that no other span of it contains. */
export function rootsOf(spans: readonly ReceivedSpan[]): ReceivedSpan[] {
  const ids = new Set(spans.map(({ spanId }) => spanId))
  return spans.filter(({ parentSpanId = '' }) => !ids.has(parentSpanId))
}

/** What differs from run to run: shown as `*`. */
const VOLATILE =
  /(?:\.id|_id|\.worker|\.port|time_to_first_chunk|idle_seconds|cost\.usd|\.(?:input|output)_tokens)$/

/** One trace as text: a line a span with its status, then its attributes, links and events; no ids, times or ports. */
export function traceToText(spans: readonly ReceivedSpan[]): string {
  const byId = new Map(spans.map((span) => [span.spanId, span]))
  const lines: string[] = []
  const write = (span: ReceivedSpan, depth: number): void => {
    const indent = '  '.repeat(depth)
    lines.push(`${indent}${span.name}${span.status.code === 2 ? ` ✗ ${span.status.message}` : ''}`)
    lines.push(...attributeLines(span.attributes).map((line) => `${indent}  - ${line}`))
    for (const { spanId } of span.links ?? [])
      lines.push(`${indent}  → ${byId.get(spanId)?.name ?? 'elsewhere'}`)
    for (const { name, attributes = [] } of span.events ?? []) {
      lines.push(`${indent}  ! ${[name, ...attributeLines(attributes)].join(', ')}`)
    }
    for (const child of childrenOf(span, spans)) write(child, depth + 1)
  }
  for (const root of rootsOf(spans)) write(root, 0)
  return `${lines.join('\n')}\n`
}

/** By name, then by start: parallel work has no order. */
function childrenOf({ spanId }: ReceivedSpan, spans: readonly ReceivedSpan[]): ReceivedSpan[] {
  return spans
    .filter(({ parentSpanId }) => parentSpanId === spanId)
    .sort(
      (a, b) =>
        a.name.localeCompare(b.name) || Number(BigInt(a.startTimeUnixNano) - BigInt(b.startTimeUnixNano)),
    )
}

function shown(value: unknown): string {
  return Array.isArray(value) ? `[${value.join(', ')}]` : String(value)
}

function attributeLines(attributes: ReceivedSpan['attributes']): string[] {
  return Object.entries(attributesOf({ attributes }))
    .map(([name, value]) => `${name}=${VOLATILE.test(name) ? '*' : shown(value)}`)
    .sort()
}
