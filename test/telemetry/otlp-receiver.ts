import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'

type ReceivedAttribute = { readonly key: string; readonly value: Readonly<Record<string, unknown>> }

export type ReceivedSpan = {
  readonly name: string
  readonly traceId: string
  readonly spanId: string
  readonly parentSpanId?: string
  readonly kind: number
  readonly startTimeUnixNano: string
  readonly endTimeUnixNano: string
  readonly attributes: readonly ReceivedAttribute[]
  readonly links?: readonly { readonly traceId: string; readonly spanId: string }[]
  readonly events?: readonly { readonly name: string; readonly attributes?: readonly ReceivedAttribute[] }[]
  readonly status: { readonly code?: number; readonly message?: string }
}

type DataPoint = { readonly attributes: readonly ReceivedAttribute[] }
type Points = { readonly dataPoints: readonly DataPoint[]; readonly isMonotonic?: boolean }

export type ReceivedMetric = {
  readonly name: string
  readonly unit: string
  readonly sum?: Points
  readonly gauge?: Points
  readonly histogram?: Points
}

type Batch = {
  resourceMetrics?: { scopeMetrics: { metrics: ReceivedMetric[] }[] }[]
  resourceSpans?: {
    resource: { attributes: { key: string; value: { stringValue: string } }[] }
    scopeSpans: { spans: ReceivedSpan[] }[]
  }[]
}

/** A real OTLP/HTTP receiver that keeps the spans and metrics it is sent, whatever status it answers. */
export async function createOtlpReceiver({ status = 200 } = {}) {
  const paths: string[] = []
  const batches: Batch[] = []
  const server = createServer(async (request, response) => {
    const chunks: Buffer[] = []
    for await (const chunk of request) chunks.push(chunk)
    paths.push(request.url ?? '')
    batches.push(JSON.parse(Buffer.concat(chunks).toString()))
    response.writeHead(status, { 'content-type': 'application/json' }).end('{}')
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo // it listens on TCP
  const resources = () => batches.flatMap(({ resourceSpans = [] }) => resourceSpans)
  return {
    endpoint: `http://127.0.0.1:${port}`,
    paths,
    raw: () => JSON.stringify(batches),
    spans: () => resources().flatMap(({ scopeSpans }) => scopeSpans.flatMap(({ spans }) => spans)),
    metrics: () =>
      batches
        .flatMap(({ resourceMetrics = [] }) => resourceMetrics)
        .flatMap(({ scopeMetrics }) => scopeMetrics.flatMap(({ metrics }) => metrics)),
    resource: () =>
      Object.fromEntries(
        resources().flatMap(({ resource }) =>
          resource.attributes.map(({ key, value }) => [key, value.stringValue]),
        ),
      ),
    close: () =>
      new Promise<void>((resolve) => {
        server.close(() => resolve())
        server.closeAllConnections()
      }),
  }
}
