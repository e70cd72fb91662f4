/**
 * `npm run stack [-- --monitoring DIR]`: the stack of deploy/docker-compose.yml without containers, until Ctrl-C.
 */

import { dirname } from 'node:path'
import { parseArgs } from 'node:util'
import { notificationLines } from './notification-text.ts'
import { findPrograms } from './programs.ts'
import { createReceiver } from './receiver.ts'
import { absentFiles, type Stack, startStack } from './stack.ts'

const FOLDER = '.turnkeeper/stack'

const { values: flags } = parseArgs({ options: { monitoring: { type: 'string', default: 'deploy' } } })

async function main(): Promise<number> {
  const programs = findPrograms()
  if (typeof programs === 'string') return refuse(programs)
  const absent = absentFiles(flags.monitoring)
  if (absent.length > 0)
    return refuse(`absent: ${absent.join(', ')}. The stack shows and alerts by these files.`)
  const receiver = await createReceiver((it) => {
    for (const line of notificationLines(it)) console.log(`  ${line}`)
  })
  const interrupted = onInterrupt()
  try {
    const starting = startStack({ programs, receiver, folder: FOLDER, monitoring: flags.monitoring })
    const stack = await Promise.race([starting, interrupted])
    // What is half started is let start, so that it can be stopped.
    if (stack === undefined) await starting.then((late) => late.close())
    else {
      for (const line of addressLines(stack, receiver.url)) console.log(line)
      await interrupted
      console.log('Stopping …')
      await stack.close()
    }
  } finally {
    await receiver.close()
  }
  return 0
}

function refuse(problem: string): number {
  console.error(problem)
  return 2
}

function addressLines(stack: Stack, receiverUrl: string): string[] {
  return [
    `Gateway       ${stack.gatewayUrl} (Authorization: Bearer ${stack.gatewayKey})`,
    `Upstream      ${stack.simUrl} (simulated; POST ${stack.simUrl}/_control makes it misbehave)`,
    `Prometheus    ${stack.prometheusUrl}`,
    `Alertmanager  ${stack.alertmanagerUrl}`,
    `Slack & co.   ${receiverUrl} (what would be sent is shown here)`,
    `Logs          ${stack.folder}/logs`,
    '',
    'Another terminal joins in, and takes the commands of alerts and runbooks as they stand, with:',
    `  cd ${dirname(stack.configFile)}`,
    `  export REDIS_URL=${stack.env.REDIS_URL} UPSTREAM_URL=${stack.simUrl} RECORDS_DIR=${stack.env.RECORDS_DIR}`,
    `  alias turnkeeper='npx turnkeeper'`,
    `  turnkeeper enqueue assistant --input 'say "hello"' --watch`,
    '',
    'Ctrl-C stops everything.',
  ]
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

process.exitCode = await main()
