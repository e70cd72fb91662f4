import type { AddressInfo } from 'node:net'
import { connect, createServer, type Socket } from 'node:net'

/** A way to Redis that can be broken. */
export type FaultyProxy = {
  readonly url: string
  /** Ends about `share` of the connections, one at least; returns how many. */
  kill(share: number, random: () => number): number
  /** Lets the next command of about `share` of the connections through, loses its reply, and ends them; one at least. */
  dropReplies(share: number, random: () => number): number
  close(): Promise<void>
}

type Link = { readonly near: Socket; readonly far: Socket; dropping: boolean }

/** Stands before the server at `socket`, a path. */
export async function startProxy(socket: string): Promise<FaultyProxy> {
  const links = new Set<Link>()
  const server = createServer((near) => {
    const far = connect(socket)
    const link: Link = { near, far, dropping: false }
    links.add(link)
    const end = (): void => {
      links.delete(link)
      near.destroy()
      far.destroy()
    }
    near.setNoDelay(true)
    near.on('data', (chunk) => far.write(chunk))
    far.on('data', (chunk) => (link.dropping ? end() : near.write(chunk)))
    for (const side of [near, far]) side.on('error', end).on('close', end)
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo // it listens on TCP
  const chosen = (share: number, random: () => number): Link[] => {
    const all = [...links]
    const some = all.filter(() => random() < share)
    return some.length > 0 ? some : all.slice(0, 1)
  }
  return {
    url: `redis://127.0.0.1:${port}`,
    kill(share, random) {
      const hit = chosen(share, random)
      for (const { near } of hit) near.destroy()
      return hit.length
    },
    dropReplies(share, random) {
      const hit = chosen(share, random)
      for (const link of hit) link.dropping = true
      return hit.length
    },
    async close() {
      for (const { near } of links) near.destroy()
      await new Promise<void>((resolve) => server.close(() => resolve()))
    },
  }
}
