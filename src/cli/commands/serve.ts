import { type AddCommand, example, type GlobalOptions } from '../command.ts'
import { requireConfig } from '../settings.ts'
import { aborted, listenForHangUps, listenForSignals } from '../signals.ts'

/** `turnkeeper serve`: the HTTP face until it is told to stop. */
export const serveCommand: AddCommand = (parent, { terminal }) => {
  parent
    .command('serve')
    .description('serve turns over HTTP; Ctrl-C closes, SIGHUP reloads')
    .addHelpText(...example('turnkeeper serve --config turnkeeper.config.yaml'))
    .action(async (_options, command) => {
      const flags = command.optsWithGlobals() as GlobalOptions
      const load = () => requireConfig(flags)
      const config = await load()
      using stop = listenForSignals()
      using hangUps = listenForHangUps()
      const { startGateway } = await import('../../gateway/gateway.ts')
      await using gateway = await startGateway(config, { load })
      hangUps.handle(() => void gateway.reload())
      const { url, redis, metricsUrl } = gateway
      terminal.note(`serving at ${url}; metrics at ${metricsUrl ?? 'no address'}`)
      terminal.json({ url, redis, metricsUrl: metricsUrl ?? null })
      await aborted(stop.signal)
    })
}
