/** A worker in a process of its own, until its standard input ends. */

import { loadConfig } from '../../../src/config/load.ts'
import { defineAgent } from '../../../src/runtime/agent.ts'
import { startWorker } from '../../../src/runtime/worker/worker.ts'
import { configOf } from '../turn/world.ts'

const [redisUrl = '', url] = process.argv.slice(2)
const agent = defineAgent({ name: 'bench', model: 'json', instructions: 'Be brief.' })
await startWorker(await loadConfig(configOf(redisUrl, url)), { agents: [agent], concurrency: 50 })
process.stdout.write('ready\n')
process.stdin.on('end', () => process.exit())
process.stdin.resume()
