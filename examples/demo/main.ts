/**
 * `npm run demo [-- --json] [--keep]`: two workers, the HTTP face, a simulated upstream with three routes, of which
 * the first one misbehaves for a while, and 24 turns that all complete.
 */

import { rmSync } from 'node:fs'
import { parseArgs } from 'node:util'
import { connect, createProviderRuntime, TurnkeeperError } from 'turnkeeper'
import { createSim } from 'turnkeeper/testing'
import { openRedis } from '../../src/redis/embedded.ts'
import { cleanUp } from './clean-up.ts'
import { BAD_MODEL, BAD_TIMES, CONFIG_FILE, FOLDER, GOOD_MODELS, writeConfig } from './config.ts'
import { createDisplay, type TurnView } from './display.ts'
import { follow } from './follow.ts'
import { startProcess } from './processes.ts'
import { QUESTIONS } from './questions.ts'
import { summarize, summaryLines } from './summary.ts'

const HELP = `npm run demo [-- --json] [-- --keep]

  --json   print the figures as one JSON object on the last line of stdout
  --keep   leave everything running afterwards, to look around; Ctrl-C ends it`

const { values: flags } = parseArgs({
  options: { json: { type: 'boolean' }, keep: { type: 'boolean' }, help: { type: 'boolean' } },
})

async function main(): Promise<number> {
  const started = performance.now()
  const people = flags.json ? process.stderr : process.stdout
  const display = createDisplay(people, flags.json === true)
  await using closing = new AsyncDisposableStack()
  closing.defer(() => display.close())
  const interrupted = onInterrupt()

  const prefix = `demo-${process.pid}`
  const sim = closing.use(await createSim())
  writeConfig({ simUrl: sim.url, prefix })
  const redis = closing.use(
    await openRedis({
      url: process.env.REDIS_URL,
      dataDir: `${FOLDER}/redis`,
      durability: 'none',
      warn: display.say,
    }),
  )
  display.say(`Redis: ${redis.origin}, nothing of the demo outlives it (durability: none)`)
  if (redis.origin === 'url') closing.defer(() => cleanUp(redis.url, prefix))

  const processes = [
    startProcess('worker-1', ['worker', '--config', CONFIG_FILE]),
    startProcess('worker-2', ['worker', '--config', CONFIG_FILE]),
    startProcess('gateway', ['serve', '--config', CONFIG_FILE]),
  ]
  closing.defer(async () => {
    await Promise.all(processes.map((child) => child.stop()))
  })
  const addresses = await Promise.all(processes.map((child) => child.line(/(http:\/\/[^\s;]+)/)))
  display.say(`Running: ${processes.map((child) => `${child.name} (pid ${child.pid})`).join(', ')}`)

  // The first route stalls twice, is cut twice, then sends HTML; the newest rule comes first. The other two are
  // paced like a real model, so that there is something to watch.
  for (const [fault, times] of BAD_TIMES) sim.control({ model: BAD_MODEL, fault, times })
  for (const model of GOOD_MODELS) sim.control({ model, fault: 'slow:40' })

  const client = closing.use(await connect({ config: CONFIG_FILE }))
  const health = closing.use(await createProviderRuntime({ config: CONFIG_FILE }))
  const views: TurnView[] = QUESTIONS.map(({ sessionId, number }) => ({
    sessionId,
    number,
    state: 'waiting',
    doing: '',
    worker: '',
  }))
  const redraw = setInterval(() => display.update(views, health.routes()), 100)
  closing.defer(() => clearInterval(redraw))

  const turns = await Promise.all(
    QUESTIONS.map(({ sessionId, input }) => client.enqueue('librarian', { sessionId, input })),
  )
  display.say(`Enqueued ${turns.length} turns in 6 sessions\n`)
  const ended = Promise.all(turns.map((turn, i) => follow(turn, views[i] as TurnView)))
  const results = await Promise.race([ended, interrupted])
  if (results === undefined) return 130

  display.update(views, health.routes())
  clearInterval(redraw)
  display.close()
  const summary = summarize(results, await health.history(), { redis: redis.origin, started })
  for (const line of summaryLines(summary, {
    results,
    addresses: addresses.map((match) => match[1] as string),
    keep: flags.keep === true,
  })) {
    people.write(`${line}\n`)
  }
  if (flags.keep) await interrupted
  if (flags.json) process.stdout.write(`${JSON.stringify(summary)}\n`)
  return summary.turns.completed === summary.turns.accepted ? 0 : 1
}

/** Resolves at Ctrl-C; a second one ends the process at once. */
function onInterrupt(): Promise<undefined> {
  return new Promise((resolve) => {
    for (const signal of ['SIGINT', 'SIGTERM'] as const) {
      process.once(signal, () => {
        resolve(undefined)
        process.once(signal, () => process.exit(130))
      })
    }
  })
}

if (flags.help) {
  console.log(HELP)
} else {
  try {
    process.exitCode = await main()
    rmSync(FOLDER, { recursive: true, force: true })
  } catch (error) {
    const code = error instanceof TurnkeeperError ? `${error.code}: ` : ''
    const message = error instanceof Error ? error.message : String(error)
    console.error(`${code}${message}\nThe demo has ended. What its processes said is in ${FOLDER}/*.log`)
    process.exitCode = 1
  }
}
