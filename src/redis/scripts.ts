import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import type { RedisConnection } from './connection.ts'

/** A value that a script takes; numbers are sent as text. */
export type ScriptArgument = string | number | Buffer

/** One Lua file, ready to be run. It takes its time from Redis and touches only its KEYS. */
export type Script = {
  readonly name: string
  run(redis: RedisConnection, keys: readonly string[], args: readonly ScriptArgument[]): Promise<unknown>
}

/**
 * Reads `lua/<name>.lua` beside the module at `baseUrl`. `--@include file` lines are replaced by that file, once
 * each: that is how scripts share functions, since Redis has none to import.
 */
export function loadScript(name: string, baseUrl: string): Script {
  const source = readWithIncludes(new URL(`./lua/${name}.lua`, baseUrl), new Set())
  const sha = createHash('sha1').update(source).digest('hex')
  return {
    name,
    async run(redis, keys, args) {
      try {
        return await redis.evalsha(sha, keys.length, ...keys, ...args)
      } catch (error) {
        if (!(error instanceof Error && error.message.startsWith('NOSCRIPT'))) throw error
        return await redis.eval(source, keys.length, ...keys, ...args)
      }
    },
  }
}

function readWithIncludes(file: URL, seen: Set<string>): string {
  if (seen.has(file.href)) return ''
  seen.add(file.href)
  return readFileSync(file, 'utf8').replace(/^--@include (\S+)$/gm, (_line, included: string) =>
    readWithIncludes(new URL(included, file), seen),
  )
}
