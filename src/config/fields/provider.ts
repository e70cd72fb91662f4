import * as z from 'zod'
import { DEFAULTS } from '../defaults.ts'
import { Secret } from '../secret.ts'
import { checkReach, commandSchema } from './command.ts'
import { byName, section } from './mappings.ts'
import { duration, flag, httpUrl, name, oneOf, text, whole } from './scalars.ts'

/** Printable ASCII without spaces: anything else would break the header that carries the key. */
const API_KEY = /^[\x21-\x7e]+$/

const apiKey = z
  .string({ error: 'a key' })
  .regex(API_KEY, { error: 'a key that is not empty and has no spaces or line breaks' })
  .transform((value) => new Secret(value))

const oauth = section({
  tokenFile: text('a path'),
  tokenUrl: httpUrl,
  clientId: text('the id under which this program is known to the vendor'),
})

const credential = section({
  id: name,
  apiKey: apiKey.optional(),
  oauth: oauth.optional(),
  weight: whole(1, 1000).default(DEFAULTS.credentialWeight),
}).transform(({ id, weight, ...given }, context) => {
  if (given.apiKey !== undefined && given.oauth === undefined) return { id, weight, apiKey: given.apiKey }
  if (given.oauth !== undefined && given.apiKey === undefined) return { id, weight, oauth: given.oauth }
  context.addIssue({ code: 'custom', message: 'either "apiKey" or "oauth"' })
  return z.NEVER
})

const ids = (list: readonly { readonly id: string }[]): ReadonlySet<string> =>
  new Set(list.map(({ id }) => id))

const timeouts = section({
  connect: duration.default(DEFAULTS.timeouts.connectMs),
  headers: duration.default(DEFAULTS.timeouts.headersMs),
  firstContent: duration.default(DEFAULTS.timeouts.firstContentMs),
  idle: duration.default(DEFAULTS.timeouts.idleMs),
  total: duration.default(DEFAULTS.timeouts.totalMs),
}).transform(({ connect, headers, firstContent, idle, total }) => ({
  connectMs: connect,
  headersMs: headers,
  firstContentMs: firstContent,
  idleMs: idle,
  totalMs: total,
}))

const limits = section({
  bodyBytes: whole(1).default(DEFAULTS.limits.bodyBytes),
  eventBytes: whole(1).default(DEFAULTS.limits.eventBytes),
  toolArgumentBytes: whole(1).default(DEFAULTS.limits.toolArgumentBytes),
  toolSchemaBytes: whole(1).default(DEFAULTS.limits.toolSchemaBytes),
})

const ORIGIN = 'an origin such as https://images.example.com, without a path'

const origin = httpUrl.refine((url) => URL.parse(url)?.origin === url, { error: ORIGIN })

/** YAML reads an unquoted 2 as a number. */
const httpVersion = z.preprocess(
  (value) => (typeof value === 'number' ? String(value) : value),
  oneOf('1.1', '2'),
)

/** true, false or auto; as text too. */
const streamChoice = z.preprocess(
  (value) => (value === 'true' ? true : value === 'false' ? false : value),
  z.union([z.boolean(), z.literal('auto')], { error: 'true, false or auto' }),
)

const toolTurns = section({
  stream: streamChoice.default(DEFAULTS.provider.toolTurns.stream),
  routes: byName(streamChoice, { rule: /^\S+$/, error: 'a model of this provider, without spaces' }),
})

const jsonMode = section({ fallback: flag.default(DEFAULTS.provider.jsonMode.fallback) })

/** The values are held against the provider's table where it is opened, and by `config check`. */
const parameters = section({
  unknown: oneOf('reject', 'warn').default(DEFAULTS.provider.parameters.unknown),
  defaults: byName(z.unknown(), { rule: /^\S+$/, error: 'the name of a parameter' }),
}).transform(({ unknown, defaults }) => ({
  unknown,
  defaults: { ...DEFAULTS.provider.parameters.defaults, ...defaults },
}))

const PATTERN = 'a pattern over names of models, such as "*:free"'

const patterns = z.array(text(PATTERN), { error: `a list, each of it ${PATTERN}` })

/** One entry of `providers`. */
export const providerSchema = section({
  protocol: oneOf('openai-chat', 'openai-responses', 'anthropic', 'ollama', 'llamacpp-cli'),
  dialect: oneOf(
    'openai',
    'openrouter',
    'azure',
    'groq',
    'mistral',
    'deepseek',
    'xai',
    'llamacpp',
    'ollama',
    'generic',
  ).default(DEFAULTS.provider.dialect),
  enabled: flag.default(DEFAULTS.provider.enabled),
  baseUrl: httpUrl.optional(),
  command: commandSchema.optional(),
  credentials: z
    .array(credential, { error: 'a list of { id, apiKey }' })
    .refine((list) => ids(list).size === list.length, { error: 'credentials with different ids' })
    .nullish()
    .transform((list) => list ?? []),
  prefix: name.optional(),
  models: section({
    include: patterns.nullish().transform((list) => list ?? [...DEFAULTS.provider.models.include]),
    exclude: patterns.nullish().transform((list) => list ?? [...DEFAULTS.provider.models.exclude]),
  }),
  concurrency: whole(1).optional(),
  toolTurns,
  jsonMode,
  parameters,
  http: section({
    version: httpVersion.default(DEFAULTS.http.version),
    connections: whole(1, 65_535).default(DEFAULTS.http.connections),
  }),
  images: section({
    allow: z.array(origin, { error: 'a list of origins such as https://images.example.com' }).default([]),
  }),
  timeouts,
  limits,
}).check(checkReach)
