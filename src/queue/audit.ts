/** Who has told a turn what to do: kept in one capped stream, the newest 10,000 entries. */

import type { RedisConnection } from '../redis/connection.ts'
import { globalKeys } from '../redis/keys.ts'

export type AuditEntry = {
  /** Milliseconds since 1970, on Redis's clock. */
  readonly at: number
  readonly by: string
  readonly action: 'cancel' | 'approve' | 'reject' | 'resolve' | 'retry'
  readonly turnId: string
  readonly callId?: string
  readonly reason?: string
  /** Of `resolve`: whether the call had taken effect. */
  readonly done?: boolean
  /** Of `retry`: the turn that came of it. */
  readonly retriedAs?: string
}

export type Audit = {
  /** Keeps what has just been done. */
  record(entry: Omit<AuditEntry, 'at'>): Promise<void>
  /** What was done to a turn since `sinceMs`, oldest first. */
  of(turnId: string, sinceMs: number): Promise<AuditEntry[]>
}

const KEPT = 10_000
const PAGE = 1_000

export function createAudit(redis: RedisConnection, prefix: string): Audit {
  const { audit } = globalKeys(prefix)
  return {
    async record(entry) {
      await redis.xadd(audit, 'MAXLEN', '~', KEPT, '*', 'e', JSON.stringify(entry))
    },
    async of(turnId, sinceMs) {
      const found: AuditEntry[] = []
      for (let from = String(Math.floor(sinceMs)); ; ) {
        const page = await redis.xrange(audit, from, '+', 'COUNT', PAGE)
        for (const [id, [, text = '{}']] of page) {
          const entry = JSON.parse(text) as Omit<AuditEntry, 'at'> // written by `record` alone
          if (entry.turnId === turnId) found.push({ at: Number(id.split('-')[0]), ...entry })
        }
        const last = page.at(-1)?.[0]
        if (last === undefined || page.length < PAGE) return found
        from = `(${last}`
      }
    },
  }
}
