import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { hear, type Message } from './wire.ts'

/** What came where Slack, PagerDuty and others would be. */
export type Notification = Message & { readonly path: string; readonly atMs: number }

export type Receiver = {
  readonly url: string
  /** The newest 1,000. */
  readonly received: readonly Notification[]
  /** Why messages were refused that those services would refuse, too. */
  readonly refused: readonly string[]
  close(): Promise<void>
}

const KEPT = 1_000

/** Listens on a free port of this machine. */
export async function createReceiver(
  onNotification: (it: Notification) => void = () => {},
): Promise<Receiver> {
  const received: Notification[] = []
  const refused: string[] = []
  const server = createServer(async (request, response) => {
    const chunks: Buffer[] = []
    for await (const chunk of request) chunks.push(chunk as Buffer)
    const path = request.url ?? '/'
    const text = Buffer.concat(chunks).toString()
    const heard = hear(path, text)
    const { status, type, text: answer } = heard.answer
    response.writeHead(status, { 'content-type': type }).end(answer)
    if (heard.type === 'refused') {
      keep(refused, `${path}: ${heard.problem} in ${text.slice(0, 500)}`)
      return
    }
    const notification = { ...heard.message, path, atMs: Date.now() }
    keep(received, notification)
    onNotification(notification)
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo // it listens on TCP
  return {
    url: `http://127.0.0.1:${port}`,
    received,
    refused,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve())
        server.closeAllConnections()
      }),
  }
}

function keep<Item>(list: Item[], item: Item): void {
  list.push(item)
  if (list.length > KEPT) list.shift()
}
