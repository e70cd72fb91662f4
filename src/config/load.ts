/** From a file, or an object, to a `Config`: parsed → variables replaced → checked → resolved. */

import { readFile } from 'node:fs/promises'
import { dirname, resolve as resolvePath } from 'node:path'
import { TurnkeeperError } from '../errors.ts'
import type { CommandConfig, Config, OAuthConfig } from './config.ts'
import { DEFAULTS } from './defaults.ts'
import { configError, type Path, pathText, problemsFromIssue } from './problems.ts'
import { routeProblems } from './routes.ts'
import { configSchema } from './schema.ts'
import { type Environment, substituteVariables } from './source/variables.ts'
import { parseYaml } from './source/yaml.ts'

export type LoadOptions = {
  /** Default `process.env`. */
  readonly env?: Environment
  /** What relative paths start from, the file's own among them. Default: the working directory. */
  readonly cwd?: string
}

export type ParseOptions = {
  readonly env: Environment
  /** Absolute; what relative paths in the configuration start from. */
  readonly baseDir: string
  /** How errors call the place where it stands. Default "configuration". */
  readonly source?: string
}

/**
 * Loads a configuration: a path of a YAML file, an object that is already parsed, or nothing for
 * `turnkeeper.config.yaml` in `cwd`. Throws `config/invalid_config` or `config/missing_variable` with every
 * problem on a line of its own.
 */
export async function loadConfig(
  source: string | object | undefined,
  { env = process.env, cwd = process.cwd() }: LoadOptions = {},
): Promise<Config> {
  if (typeof source === 'object') return parseConfig(source, { env, baseDir: cwd })
  const file = resolvePath(cwd, source ?? DEFAULTS.fileName)
  const text = await readConfigFile(file, source === undefined)
  return parseConfig(await parseYaml(text, file), { env, baseDir: dirname(file), source: file })
}

/** Checks and resolves a parsed configuration; pure. Throws as `loadConfig`. */
export function parseConfig(raw: unknown, options: ParseOptions): Config {
  const { env, source = 'configuration' } = options
  const { value, problems, replaced } = substituteVariables(raw, env)
  const result = configSchema.safeParse(value)
  const opaque = (path: Path): boolean => replaced.has(pathText(path)) || isSecretPath(path)
  const isReported = new Set(problems.map(({ path }) => path))
  const all = [
    ...problems,
    ...(result.error?.issues ?? [])
      .flatMap((issue) => problemsFromIssue(issue, value, opaque))
      .filter(({ path }) => !isReported.has(path)),
    ...routeProblems(value).filter(({ path }) => !isReported.has(path)),
  ]
  if (!result.success || all.length > 0) throw configError(source, all)
  return resolveConfig(result.data, options)
}

type Parsed = ReturnType<typeof configSchema.parse>

function resolveConfig(
  { redis, providers, models, recorder, agents, ...rest }: Parsed,
  { env, baseDir }: ParseOptions,
): Config {
  const redisUrl = redis.url ?? env.REDIS_URL
  return {
    ...rest,
    redis: { ...redis, ...(redisUrl && { url: redisUrl }), dataDir: resolvePath(baseDir, redis.dataDir) },
    providers: mapValues(
      providers,
      ({ baseUrl, command, prefix, concurrency, credentials, ...provider }, name) => ({
        name,
        ...provider,
        ...(baseUrl !== undefined && { baseUrl }),
        ...(command !== undefined && { command: resolveCommand(command, baseDir) }),
        ...(prefix !== undefined && { prefix }),
        ...(concurrency !== undefined && { concurrency }),
        credentials: credentials.map((credential) => withAbsolutePath(credential, baseDir)),
      }),
    ),
    models: mapValues(models, (model, alias) => ({ alias, ...model })),
    recorder: { ...recorder, dir: resolvePath(baseDir, recorder.dir) },
    ...(agents !== undefined && { agents: resolvePath(baseDir, agents) }),
  }
}

/** A bare name of a program is looked up on PATH, so it stays one. */
function resolveCommand({ binary, args, modelsDir }: CommandConfig, baseDir: string): CommandConfig {
  const isPath = /[\\/]/.test(binary)
  return {
    binary: isPath ? resolvePath(baseDir, binary) : binary,
    args,
    modelsDir: resolvePath(baseDir, modelsDir),
  }
}

function withAbsolutePath<Credential extends object>(credential: Credential, baseDir: string): Credential {
  if (!('oauth' in credential)) return credential
  const oauth = credential.oauth as OAuthConfig // as the schema has it
  return { ...credential, oauth: { ...oauth, tokenFile: resolvePath(baseDir, oauth.tokenFile) } }
}

/** Without a prototype: names that clients send are looked up here. */
function mapValues<From, To>(
  record: Readonly<Record<string, From>>,
  map: (value: From, key: string) => To,
): Record<string, To> {
  const result: Record<string, To> = Object.create(null)
  for (const [key, value] of Object.entries(record)) result[key] = map(value, key)
  return result
}

/** Places where people put keys, well formed or not. */
function isSecretPath(path: Path): boolean {
  return path.some((part) => /credential|key|secret|token|url|endpoint/i.test(String(part)))
}

async function readConfigFile(file: string, isDefault: boolean): Promise<string> {
  try {
    return await readFile(file, 'utf8')
  } catch (cause) {
    const code = cause instanceof Error && 'code' in cause ? String(cause.code) : 'unreadable'
    throw new TurnkeeperError('invalid_config', unreadableText(file, { code, isDefault }), { cause })
  }
}

function unreadableText(file: string, { code, isDefault }: { code: string; isDefault: boolean }): string {
  if (code !== 'ENOENT') return `${file}: expected a readable file, got ${code}`
  if (!isDefault) return `${file}: there is no such file`
  return `there is no configuration: create ${file} with at least one provider under "providers" and one alias under "models", or name a file with --config`
}
