import * as z from 'zod'
import { section } from './mappings.ts'
import { text } from './scalars.ts'

/** What the operating system could not pass on. */
const isPassable = (value: string): boolean => !value.includes('\0')

const argument = z.string({ error: 'text' }).refine(isPassable, { error: 'text without a NUL character' })

const path = text('a path').refine(isPassable, { error: 'a path without a NUL character' })

/** How a local `llama-cli` is run. Arguments are a list: no shell ever reads them. */
export const commandSchema = section({
  binary: path,
  args: z
    .array(argument, { error: 'a list of arguments, each of them text' })
    .nullish()
    .transform((list) => list ?? []),
  modelsDir: path,
})

type Reach = {
  readonly protocol: string
  readonly baseUrl?: string | undefined
  readonly command?: object | undefined
}

/** A provider is reached at a base URL or by a command, as its protocol wants: never both, never neither. */
export function checkReach(context: z.core.ParsePayload<Reach>): void {
  const { protocol, baseUrl, command } = context.value
  const isLocal = protocol === 'llamacpp-cli'
  const complain = (key: string, message: string, input: unknown): void => {
    context.issues.push({ code: 'custom', path: [key], message, input })
  }
  if (isLocal && command === undefined) complain('command', '{ binary, modelsDir }', command)
  if (isLocal && baseUrl !== undefined) complain('baseUrl', 'none for protocol llamacpp-cli', baseUrl)
  if (!isLocal && baseUrl === undefined) complain('baseUrl', 'an http or https URL', baseUrl)
  if (!isLocal && command !== undefined) complain('command', 'none but for protocol llamacpp-cli', command)
}
