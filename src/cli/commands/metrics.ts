import { TurnkeeperError } from '../../errors.ts'
import type { MetricsSnapshot } from '../../providers/snapshot/snapshot.ts'
import { type AddCommand, example, type GlobalOptions } from '../command.ts'
import { findConfig } from '../settings.ts'
import type { Terminal } from '../terminal.ts'

type ExportOptions = { readonly from: readonly string[]; readonly jsonl?: boolean; readonly http?: string }

/** How long a page, or the receiver of an export, is waited for. */
const PATIENCE_MS = 10_000

/** `turnkeeper metrics …`: what running processes have measured. */
export const metricsCommand: AddCommand = (parent, { terminal }) => {
  const metrics = parent
    .command('metrics')
    .description('read what running processes have measured')
    .helpCommand(false)
    .addHelpText(...example('turnkeeper metrics export --json'))
  metrics
    .command('export')
    .description('how the providers stand, once, as JSON: printed, or posted to an address')
    .option('--from <url>', 'a metrics page, repeatable (default: the configured address)', collect, [])
    .option('--jsonl', 'one line of JSON for each route')
    .option('--http <url>', 'post the JSON there')
    .addHelpText(
      ...example(
        'turnkeeper metrics export --from http://worker-1:9464/metrics --from http://worker-2:9464/metrics',
      ),
    )
    .action(async (options: ExportOptions, command) => {
      const snapshot = await takeSnapshot(options.from, command.optsWithGlobals() as GlobalOptions)
      if (options.http !== undefined) await post(options.http, snapshot)
      if (options.jsonl) await printLines(snapshot, terminal)
      else if (options.http === undefined) printRoutes(snapshot, terminal)
      terminal.json(snapshot)
    })
}

async function takeSnapshot(from: readonly string[], globals: GlobalOptions): Promise<MetricsSnapshot> {
  const { pageToSamples } = await import('../../telemetry/metrics/samples.ts')
  const { samplesToSnapshot } = await import('../../providers/snapshot/snapshot.ts')
  const urls = from.length > 0 ? from : [await configuredUrl(globals)]
  const pages = await Promise.all(urls.map(readPage))
  return samplesToSnapshot(pages.map(pageToSamples), new Date())
}

async function configuredUrl(globals: GlobalOptions): Promise<string> {
  const { host, port } = (await findConfig(globals)).metrics
  const reachable = host === '0.0.0.0' || host === '::' ? '127.0.0.1' : host
  return `http://${reachable.includes(':') ? `[${reachable}]` : reachable}:${port}/metrics`
}

async function readPage(url: string): Promise<string> {
  const response = await ask(url, {}, 'start a worker, or say with --from where one shows its metrics')
  return response.text()
}

async function post(url: string, snapshot: MetricsSnapshot): Promise<void> {
  const headers = { 'content-type': 'application/json' }
  const body = JSON.stringify(snapshot)
  await ask(url, { method: 'POST', headers, body }, 'nothing was exported')
}

async function ask(url: string, init: RequestInit, remedy: string): Promise<Response> {
  if (!URL.canParse(url)) throw new TurnkeeperError('invalid_input', `${JSON.stringify(url)} is no URL`)
  const { origin, pathname } = new URL(url) // what stands behind may be secret
  const where = `${origin}${pathname}`
  const response = await fetch(url, { ...init, signal: AbortSignal.timeout(PATIENCE_MS) }).catch((cause) => {
    throw new TurnkeeperError('connection', `${where} does not answer: ${remedy}`, { cause })
  })
  if (response.ok) return response
  throw new TurnkeeperError('connection', `${where} answered with status ${response.status}: ${remedy}`)
}

async function printLines(snapshot: MetricsSnapshot, terminal: Terminal): Promise<void> {
  const { snapshotToLines } = await import('../../providers/snapshot/snapshot.ts')
  for (const line of snapshotToLines(snapshot)) terminal.print(line)
}

function printRoutes({ providers }: MetricsSnapshot, terminal: Terminal): void {
  const routes = Object.values(providers).flatMap((provider) => Object.entries(provider.routes))
  if (routes.length === 0) terminal.note('no route has been measured')
  for (const [route, { state, attempts, successRatio, html, stallCount, latencyMs }] of routes) {
    const share = successRatio === null ? '–' : `${(100 * successRatio).toFixed(1)} %`
    const time = latencyMs.p95 === null ? '' : `, p95 ${latencyMs.p95} ms`
    const figures = `${attempts} attempts, ${share} good, ${html} HTML, ${stallCount} stalls${time}`
    terminal.print(`${route}  ${state ?? 'unknown'}  ${figures}`)
  }
}

function collect(value: string, previous: readonly string[]): readonly string[] {
  return [...previous, value]
}
