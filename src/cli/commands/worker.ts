import { type AddCommand, example, type GlobalOptions } from '../command.ts'
import { requireConfig } from '../settings.ts'
import { listenForHangUps, listenForSignals } from '../signals.ts'

/** `turnkeeper worker`: runs turns until it is told to stop. */
export const workerCommand: AddCommand = (parent, { terminal }) => {
  parent
    .command('worker')
    .description('run turns; Ctrl-C hands running turns back and leaves, SIGHUP reloads')
    .addHelpText(...example('turnkeeper worker --config turnkeeper.config.yaml'))
    .action(async (_options, command) => {
      const flags = command.optsWithGlobals() as GlobalOptions
      const load = () => requireConfig(flags)
      const config = await load()
      using stop = listenForSignals()
      using hangUps = listenForHangUps()
      const { startWorker } = await import('../../runtime/worker/worker.ts')
      await using worker = await startWorker(config, { load })
      hangUps.handle(() => void worker.reload())
      const { id, redis, metricsUrl } = worker
      terminal.note(`worker ${id} takes turns; metrics at ${metricsUrl ?? 'no address'}`)
      terminal.json({ worker: id, redis, metricsUrl: metricsUrl ?? null })
      await worker.run({ signal: stop.signal })
    })
}
