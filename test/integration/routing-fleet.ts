import { type ChildProcess, fork } from 'node:child_process'

export type MemberOrder =
  | { readonly type: 'call'; readonly id: number; readonly model: string }
  | { readonly type: 'leave' }

/** `state` is that of a breaker, or of the mitigation of an alias. */
export type MemberNews =
  | { readonly type: 'state'; readonly route: string; readonly state: string; readonly at: number }
  | {
      readonly type: 'called'
      readonly id: number
      readonly outcome: string
      readonly attempts: number
      readonly tookMs: number
    }

type Called = Extract<MemberNews, { type: 'called' }>
type Sight = Extract<MemberNews, { type: 'state' }>

/** A process with a provider runtime. */
export type Member = {
  call(model: string): Promise<Called>
  /** The latest state of a route, or of an alias, that it has seen. */
  state(route: string): string | undefined
  /** When it first saw that state of the route since `after`; infinity if it did not. */
  sawAt(route: string, state: string, after: number): number
  leave(): Promise<void>
}

/** Starts a process on `config`. */
export function startMember(config: object): Member {
  const child: ChildProcess = fork(new URL('routing-member.ts', import.meta.url), [JSON.stringify(config)], {
    execArgv: [],
  })
  const sights: Sight[] = []
  const calls = new Map<number, (called: Called) => void>()
  let ids = 0
  child.on('message', (news: MemberNews) => {
    if (news.type === 'state') sights.push(news)
    else calls.get(news.id)?.(news)
  })
  return {
    call(model) {
      const { promise, resolve } = Promise.withResolvers<Called>()
      calls.set(++ids, resolve)
      child.send({ type: 'call', id: ids, model } satisfies MemberOrder)
      return promise
    },
    state: (route) => sights.findLast((sight) => sight.route === route)?.state,
    sawAt: (route, state, after) =>
      sights.find((sight) => sight.route === route && sight.state === state && sight.at >= after)?.at ??
      Number.POSITIVE_INFINITY,
    async leave() {
      if (child.exitCode !== null) return
      const gone = new Promise((resolve) => child.once('exit', resolve))
      child.send({ type: 'leave' } satisfies MemberOrder)
      await gone
    },
  }
}
