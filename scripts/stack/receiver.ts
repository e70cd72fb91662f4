import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'

/** What came where Slack, PagerDuty and others would be. */
export type Notification = { readonly path: string; readonly body: unknown; readonly atMs: number }

export type Receiver = {
  readonly url: string
  readonly received: readonly Notification[]
  close(): Promise<void>
}

/** Listens on a free port of this machine and keeps the newest 1,000 notifications. */
export async function createReceiver(
  onNotification: (it: Notification) => void = () => {},
): Promise<Receiver> {
  const received: Notification[] = []
  const server = createServer(async (request, response) => {
    const chunks: Buffer[] = []
    for await (const chunk of request) chunks.push(chunk as Buffer)
    const notification = {
      path: request.url ?? '/',
      body: parsed(Buffer.concat(chunks).toString()),
      atMs: Date.now(),
    }
    received.push(notification)
    if (received.length > 1_000) received.shift()
    onNotification(notification)
    // Slack wants "ok"; PagerDuty's client looks at the status alone.
    const isPage = notification.path.startsWith('/pagerduty')
    response.writeHead(isPage ? 202 : 200, { 'content-type': 'text/plain' }).end('ok')
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo // it listens on TCP
  return {
    url: `http://127.0.0.1:${port}`,
    received,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve())
        server.closeAllConnections()
      }),
  }
}

/** One line about a notification: where to, and what its text or first alert is. */
export function notificationText({ path, body }: Notification): string {
  const fields = (typeof body === 'object' && body !== null ? body : {}) as Record<string, unknown>
  const [slack] = (fields.attachments ?? []) as { title?: string }[]
  const page = fields.payload as { summary?: string } | undefined
  const [alert] = (fields.alerts ?? []) as { status?: string; labels?: { alertname?: string } }[]
  const about = slack?.title ?? page?.summary ?? `${alert?.status} ${alert?.labels?.alertname}`
  return `${new Date().toISOString().slice(11, 19)} ${path}: ${about}`
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return text
  }
}
