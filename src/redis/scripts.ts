import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import type { RedisConnection } from './connection.ts'

/** A value that a script takes; numbers are sent as text. */
export type ScriptArgument = string | number | Buffer

/** One Lua file, ready to be run. It takes its time from Redis and touches only its KEYS. */
export type Script = {
  readonly name: string
  run(redis: RedisConnection, keys: readonly string[], args: readonly ScriptArgument[]): Promise<unknown>
  /** Runs it many times in one round trip, in the order given wherever calls meet on one server. */
  runAll(redis: RedisConnection, calls: readonly ScriptCall[]): Promise<readonly unknown[]>
}

export type ScriptCall = { readonly keys: readonly string[]; readonly args: readonly ScriptArgument[] }

/**
 * Reads `lua/<name>.lua` beside the module at `baseUrl`. `--@include file` lines are replaced by that file, once
 * each: that is how scripts share functions, since Redis has none to import.
 */
export function loadScript(name: string, baseUrl: string): Script {
  const source = readWithIncludes(new URL(`./lua/${name}.lua`, baseUrl), new Set())
  const sha = createHash('sha1').update(source).digest('hex')
  const run: Script['run'] = async (redis, keys, args) => {
    try {
      return await redis.evalsha(sha, keys.length, ...keys, ...args)
    } catch (error) {
      if (!(error instanceof Error && error.message.startsWith('NOSCRIPT'))) throw error
      return await redis.eval(source, keys.length, ...keys, ...args)
    }
  }
  return {
    name,
    run,
    runAll(redis, calls) {
      if (calls.length === 1) return Promise.all(calls.map(({ keys, args }) => run(redis, keys, args)))
      // The first call on a server brings the script along: repeating those that lacked it would change the order.
      const known = new Set<string>()
      return Promise.all(
        calls.map(({ keys, args }) => {
          const server = redis.isCluster ? tagOf(keys[0] ?? '') : ''
          if (known.has(server)) return redis.evalsha(sha, keys.length, ...keys, ...args)
          known.add(server)
          return redis.eval(source, keys.length, ...keys, ...args)
        }),
      )
    },
  }
}

/** What decides on the slot of a key, and so on its server. */
export function tagOf(key: string): string {
  return /\{([^}]+)\}/.exec(key)?.[1] ?? key
}

function readWithIncludes(file: URL, seen: Set<string>): string {
  if (seen.has(file.href)) return ''
  seen.add(file.href)
  return readFileSync(file, 'utf8').replace(/^--@include (\S+)$/gm, (_line, included: string) =>
    readWithIncludes(new URL(included, file), seen),
  )
}
