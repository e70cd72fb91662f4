import { type AddCommand, example } from '../command.ts'
import { aborted, listenForSignals } from '../signals.ts'
import { wholeNumber, word } from '../values.ts'

type SimFlags = {
  readonly port: number
  readonly host: string
  readonly tls?: boolean
  readonly seed: number
}

/** Written down, since help must not load the simulator; a test compares it with the endpoints. */
const ENDPOINTS = `
Protocols, all under the one port, as JSON and as streams:
  openai-chat       POST /v1/chat/completions
  openai-responses  POST /v1/responses
  anthropic         POST /v1/messages
  ollama            POST /api/chat, POST /api/generate
Models              GET /v1/models, GET /api/tags`

/** `turnkeeper sim`: the simulated upstream until it is told to stop. */
export const simCommand: AddCommand = (parent, { terminal }) => {
  parent
    .command('sim')
    .description('run a simulated upstream that thinks a little and misbehaves on demand')
    .requiredOption('--port <n>', 'port to listen on; 0 for any free one', wholeNumber(0, 65_535))
    .option('--host <name>', 'address to listen on', word, '127.0.0.1')
    .option('--tls', 'HTTPS with a self-signed certificate')
    .option(
      '--seed <n>',
      'decides wording, ids and shares of faults',
      wholeNumber(0, Number.MAX_SAFE_INTEGER),
      1,
    )
    .addHelpText('after', ENDPOINTS)
    .addHelpText(...example('turnkeeper sim --port 9900'))
    .action(async ({ port, host, tls = false, seed }: SimFlags) => {
      using stop = listenForSignals()
      const { createSim } = await import('../../providers/sim/sim.ts')
      await using sim = await createSim({ port, host, tls, seed })
      terminal.note(
        `simulated upstream at ${sim.url}/v1 (Anthropic and Ollama clients: ${sim.url}; model "any" behaves, "any+html" sends HTML; POST ${sim.url}/_control)`,
      )
      if (sim.certificate !== null) terminal.note(sim.certificate.trimEnd())
      terminal.json({ url: sim.url, port: sim.port, certificate: sim.certificate })
      await aborted(stop.signal)
    })
}
