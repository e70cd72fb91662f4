import { type AddCommand, example, type GlobalOptions } from '../command.ts'
import { requireConfig } from '../settings.ts'
import { aborted, listenForSignals } from '../signals.ts'

/** `turnkeeper serve`: the HTTP face until it is told to stop. */
export const serveCommand: AddCommand = (parent, { terminal }) => {
  parent
    .command('serve')
    .description('serve turns over HTTP; Ctrl-C closes')
    .addHelpText(...example('turnkeeper serve --config turnkeeper.config.yaml'))
    .action(async (_options, command) => {
      const config = await requireConfig(command.optsWithGlobals() as GlobalOptions)
      using stop = listenForSignals()
      const { startGateway } = await import('../../gateway/gateway.ts')
      await using gateway = await startGateway(config)
      const { url, redis, metricsUrl } = gateway
      terminal.note(`serving at ${url}; metrics at ${metricsUrl ?? 'no address'}`)
      terminal.json({ url, redis, metricsUrl: metricsUrl ?? null })
      await aborted(stop.signal)
    })
}
