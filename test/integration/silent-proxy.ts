import type { AddressInfo } from 'node:net'
import { connect, createServer, type Socket } from 'node:net'
import { fileURLToPath } from 'node:url'

/** A way to Redis on which some connections can go silent without being closed, as after a lost route. */
export type SilentProxy = {
  readonly url: string
  /** Connections that have blocked on the queue, and all new ones, carry nothing any more. */
  silence(): void
  /** New connections work again; what is silent stays so. */
  mend(): void
  close(): Promise<void>
}

export async function startSilentProxy(redisUrl: string): Promise<SilentProxy> {
  const links = new Set<{ near: Socket; far: Socket; blocks: boolean; silent: boolean }>()
  let newOnesAreSilent = false
  const target = new URL(redisUrl)
  const server = createServer((near) => {
    const far =
      target.protocol === 'unix:'
        ? connect(fileURLToPath(`file://${target.pathname}`))
        : connect(Number(target.port), target.hostname)
    const link = { near, far, blocks: false, silent: newOnesAreSilent }
    links.add(link)
    const end = (): void => {
      links.delete(link)
      near.destroy()
      far.destroy()
    }
    near.on('data', (chunk) => {
      if (/bzpopmin/i.test(chunk.toString('latin1'))) link.blocks = true
      if (!link.silent) far.write(chunk)
    })
    far.on('data', (chunk) => {
      if (!link.silent) near.write(chunk)
    })
    for (const side of [near, far]) side.on('error', end).on('close', end)
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return {
    url: `redis://127.0.0.1:${(server.address() as AddressInfo).port}`, // it listens on TCP
    silence() {
      newOnesAreSilent = true
      for (const link of links) if (link.blocks) link.silent = true
    },
    mend() {
      newOnesAreSilent = false
    },
    async close() {
      for (const { near, far } of links) {
        near.destroy()
        far.destroy()
      }
      await new Promise<void>((resolve) => server.close(() => resolve()))
    },
  }
}
