/** What every subject of the group offers, and how all of them are measured. */

import { cpuNowUs, cpuOf } from '../../harness/cpu.ts'
import type { Sample } from '../../harness/statistics.ts'
import { JSON_TEXT_CHARS, STREAM_TEXT_CHARS } from '../../mock/answers.ts'

/** A client library, opened on the mock. Each call resolves to the number of signs of the answer's text. */
export type Client = {
  json(): Promise<number>
  stream(): Promise<number>
  /** A stream whose events come one by one, 5 ms apart. */
  paced(): Promise<number>
  /** Two model calls with a tool between them. */
  tools?(): Promise<number>
}

const PACED_STREAMS = 64
/** CPU until the compiler has come to rest: with less, larger libraries are measured half interpreted. */
const WARM_UP_MS = 10_000
/** Several rounds of the garbage collector, with less of which a figure is a matter of luck. */
const MEASURE_MS = 1000

/** CPU of each kind of call. Throws where an answer is not whole: a fast client must also be a right one. */
export async function measureClient(client: Client): Promise<Sample> {
  const json = expecting(JSON_TEXT_CHARS, client.json)
  const stream = expecting(STREAM_TEXT_CHARS, client.stream)
  await cpuOf(json, { inFlight: 8, warmUpMs: WARM_UP_MS / 2, measureMs: 1 })
  await cpuOf(stream, { inFlight: 8, warmUpMs: WARM_UP_MS / 2, measureMs: 1 })
  return {
    'json ×1': await cpuOf(json, { measureMs: MEASURE_MS }),
    'json ×64': await cpuOf(json, { inFlight: 64, measureMs: MEASURE_MS }),
    'stream ×1': await cpuOf(stream, { measureMs: MEASURE_MS }),
    'stream ×64': await cpuOf(stream, { inFlight: 64, measureMs: MEASURE_MS }),
    paced: await pacedCpu(expecting(STREAM_TEXT_CHARS, client.paced)),
    ...(client.tools && {
      'tool loop': await cpuOf(expecting(JSON_TEXT_CHARS, client.tools), { measureMs: MEASURE_MS }),
    }),
  }
}

function expecting(chars: number, work: () => Promise<number>): () => Promise<void> {
  return async () => {
    const came = await work()
    if (came !== chars) throw new Error(`expected an answer of ${chars} signs, got ${came}`)
  }
}

async function pacedCpu(work: () => Promise<void>): Promise<number> {
  const startUs = cpuNowUs()
  await Promise.all(Array.from({ length: PACED_STREAMS }, work))
  return (cpuNowUs() - startUs) / PACED_STREAMS
}
