import { loadConfig } from '../../src/config/load.ts'
import { openBackend, type QueueBackend } from '../../src/queue/backend.ts'
import { clientOn, type TurnClient } from '../../src/queue/client/client.ts'
import { noTelemetry } from '../../src/telemetry/none.ts'

export type OpenQueue = {
  readonly backend: QueueBackend
  readonly client: TurnClient
  close(): Promise<void>
}

/** A client with what is behind it, below a prefix of its own. */
export async function openQueue(
  url: string,
  { prefix = 'turnkeeper', queue = {}, redis = {} as object } = {},
): Promise<OpenQueue> {
  const config = await loadConfig({ redis: { url, prefix, durability: 'none', ...redis }, queue })
  const backend = await openBackend(config)
  const client = clientOn(backend, { queue: 'turns', telemetry: noTelemetry })
  return { backend, client, close: () => client.close() }
}
