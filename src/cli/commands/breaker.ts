import { hostname, userInfo } from 'node:os'
import { type AddCommand, type CommandContext, example, type GlobalOptions } from '../command.ts'
import { requireConfig } from '../settings.ts'
import { duration } from '../values.ts'

type ForceOptions = { readonly for?: number; readonly reason?: string }

const HOUR_MS = 3_600_000

/** `turnkeeper breaker …`: what people decide about routes. Every decision stands in the history, with its author. */
export const breakerCommand: AddCommand = (parent, context) => {
  const breaker = parent
    .command('breaker')
    .description('keep a route open or closed for a time, or reset its breaker')
    .helpCommand(false)
    .addHelpText(
      ...example('turnkeeper breaker open openrouter/z-ai/glm-4.6 --for 2h --reason "bad answers"'),
    )
  for (const state of ['open', 'close', 'reset'] as const) {
    const command = breaker
      .command(state)
      .argument('<route>', 'provider/model of an alias')
      .description(WHAT[state])
    if (state !== 'reset') command.option('--for <duration>', 'for how long', duration, HOUR_MS)
    command
      .option('--reason <text>', 'why, for those who read the history')
      .addHelpText(...example(`turnkeeper breaker ${state} openai/gpt-5-mini`))
      .action(async (route: string, _options: ForceOptions, self) =>
        force(self.optsWithGlobals() as GlobalOptions & ForceOptions, { route, state, context }),
      )
  }
}

const WHAT = {
  open: 'send no request there; a probe decides when the time is over',
  close: 'send requests there whatever happens',
  reset: 'forget what has happened there: closed, with nothing counted',
} as const

type Order = {
  readonly route: string
  readonly state: keyof typeof WHAT
  readonly context: CommandContext
}

async function force(
  options: GlobalOptions & ForceOptions,
  { route, state, context: { terminal } }: Order,
): Promise<void> {
  const config = await requireConfig(options)
  const { openBackend } = await import('../../queue/backend.ts')
  const { forceBreaker } = await import('../../providers/routing/breaker/control.ts')
  const backend = await openBackend(config, { mayStart: false, warn: (message) => terminal.note(message) })
  try {
    const by = `${userInfo().username}@${hostname()}`
    const { for: forMs = HOUR_MS, reason = '' } = options
    const now = await forceBreaker(config, {
      redis: backend.redis,
      route,
      force: { state, forMs, reason, by },
    })
    const until = state === 'reset' ? null : new Date(Date.now() + forMs).toISOString()
    terminal.print(`${route} is ${now}${until === null ? '' : ` until ${until}`}`)
    terminal.json({ route, state: now, until, by, reason })
  } finally {
    await backend.close()
  }
}
