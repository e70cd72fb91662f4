/**
 * A route to a model file that a local `llama-cli` process answers for: one process an attempt.
 *
 * It tells neither usage nor why it stopped, so a whole answer always finishes with `stop`. Timeouts: `firstContent`
 * from the start of the process to its first content, `idle` between any two outputs after that, `total`.
 */

import { access, constants, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { TurnkeeperError, toTurnkeeperError } from '../../errors.ts'
import { createRedactor } from '../../telemetry/redaction.ts'
import { type AttemptRecord, startRecord } from '../attempt/attempt-record.ts'
import { excerptOf } from '../failures/excerpt.ts'
import type { Limits, ModelRequest, PartSink, StreamPart, Timeouts } from '../types.ts'
import type { AttemptOptions, AttemptReport, Upstream } from '../upstream.ts'
import { type Invocation, type LlamaCommand, modelFile, toInvocation } from './command.ts'
import { createOutputReader } from './output.ts'
import { type ProcessEnd, startProcess } from './process.ts'
import { cancelled, startWatch } from './watch.ts'

export type LlamaTarget = {
  readonly command: LlamaCommand
  readonly model: string
  /** `provider/model`. */
  readonly route: string
  readonly provider: string
  /** Whether parts are handed on as they come, or once all is well. */
  readonly stream: boolean
  readonly timeouts: Timeouts
  readonly limits: Limits
}

/** One route. Starts nothing yet. */
export function createLlamaUpstream(target: LlamaTarget): Upstream {
  return {
    route: target.route,
    attempt: (request, emit, options) => attempt(target, request, { emit, options: options ?? {} }),
  }
}

type Call = { readonly emit: PartSink; readonly options: AttemptOptions }

/** What an attempt has come to: its error, where it failed, and what the process last said. */
type Outcome = Pick<AttemptReport, 'untranslatable'> & {
  readonly error: TurnkeeperError | undefined
  readonly idleMs: number
  readonly stderr?: Buffer
}

const EXCERPT_BYTES = 2048

async function attempt(
  target: LlamaTarget,
  request: ModelRequest,
  { emit, options }: Call,
): Promise<AttemptReport> {
  const { route, provider } = target
  const { stream: streamed = target.stream, signal } = options
  const record = startRecord({ route, provider, streamed })
  const waiting: StreamPart[] = []
  const pass = (part: StreamPart): void => {
    record.part(part)
    emit(part)
  }
  const sink = streamed ? pass : (part: StreamPart) => void waiting.push(part)
  const outcome = signal?.aborted
    ? { error: cancelled(), idleMs: 0 }
    : await inPrivateFolder((folder) => run(target, request, { folder, sink, record, options }))
  if (outcome.error === undefined) {
    for (const part of waiting) pass(part)
    pass({ type: 'finish', reason: 'stop', rawReason: null })
  }
  const { stderr, untranslatable } = outcome
  const report = {
    ...record.toReport({ error: outcome.error, contentKind: undefined, idleMs: outcome.idleMs }),
    ...(untranslatable && { untranslatable }),
  }
  if (report.error === undefined || stderr === undefined || stderr.length === 0) return report
  return { ...report, stderr, excerpt: stderr.subarray(-EXCERPT_BYTES) }
}

type Run = {
  readonly folder: string
  readonly sink: PartSink
  readonly record: AttemptRecord
  readonly options: AttemptOptions
}

async function run(target: LlamaTarget, request: ModelRequest, how: Run): Promise<Outcome> {
  const { command, timeouts, limits, model: name, route } = target
  const { folder, sink, record, options } = how
  const model = modelFile(command, name)
  const invocation = invocationOf(command, request, { model, folder })
  if (invocation instanceof TurnkeeperError)
    return { error: invocation, idleMs: 0, untranslatable: [invocation.message] }
  await requireModel(model)
  await writeFiles(invocation, folder)

  using watch = startWatch(timeouts, options.signal)
  const reader = createOutputReader(invocation.prompt, (part) => {
    if (watch.failure !== undefined) return
    if (!watch.hasContent) sink({ type: 'start', requestId: null, model: name, route })
    watch.content()
    sink(part)
  })
  const text = new TextDecoder()
  let sizeBytes = 0
  const child = startProcess({
    binary: command.binary,
    args: invocation.args,
    cwd: folder,
    onStdout(chunk) {
      if (watch.failure !== undefined) return
      watch.bytes()
      record.bytes(chunk)
      options.onBytes?.(chunk)
      sizeBytes += chunk.length
      if (sizeBytes > limits.bodyBytes) watch.fail(tooMuch(limits.bodyBytes))
      else watch.guard(() => reader.push(text.decode(chunk, { stream: true })))
    },
    onStderr: watch.bytes,
  })
  watch.onFailure(child.stop)
  const end = await child.ended
  if (watch.failure === undefined) watch.guard(() => reader.end())
  const { complaint, hasBegun } = reader
  const stderr = child.stderr()
  const error = watch.failure ?? failureOf(end, { stderr, complaint, hasBegun, prompt: invocation.prompt })
  return { error, stderr, idleMs: watch.idleMs }
}

/** The command line of a request, or why the program cannot be told it. */
function invocationOf(...request: Parameters<typeof toInvocation>): Invocation | TurnkeeperError {
  try {
    return toInvocation(...request)
  } catch (thrown) {
    return toTurnkeeperError(thrown)
  }
}

async function requireModel(file: string): Promise<void> {
  try {
    await access(file, constants.R_OK)
  } catch (cause) {
    throw new TurnkeeperError('model_not_found', 'there is no such model file below modelsDir', { cause })
  }
}

async function writeFiles({ files }: Invocation, folder: string): Promise<void> {
  for (const { name, content } of files) await writeFile(join(folder, name), content, { mode: 0o600 })
}

/** A folder that nobody else may look into, gone after `work`. An error of `work` is how the attempt ended. */
async function inPrivateFolder(work: (folder: string) => Promise<Outcome>): Promise<Outcome> {
  const folder = await mkdtemp(join(tmpdir(), 'turnkeeper-llama-'))
  try {
    return await work(folder)
  } catch (error) {
    return { error: toTurnkeeperError(error), idleMs: 0 }
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}

type Evidence = {
  readonly stderr: Buffer
  readonly prompt: string
  readonly complaint: string | undefined
  readonly hasBegun: boolean
}

/** What went wrong with a process that ended by itself; undefined where nothing did. */
function failureOf(end: ProcessEnd, evidence: Evidence): TurnkeeperError | undefined {
  const { stderr, prompt, complaint, hasBegun } = evidence
  if (end.type === 'missing') {
    const message = `llama-cli could not be started (${end.reason}): set command.binary to where it is`
    return new TurnkeeperError('process_missing', message)
  }
  if (end.code === 0 && hasBegun && complaint === undefined) return undefined
  const words = complaint ?? stderr.toString('utf8')
  if (/exceeds? the available context|context size/i.test(words)) {
    return new TurnkeeperError('context_length', 'the request is longer than the context of the local model')
  }
  const how = end.signal === null ? `ended with status ${end.code}` : `was ended by ${end.signal}`
  const what = end.code === 0 ? 'gave no answer' : how
  const said = excerptOf(complaint ?? lastLine(stderr), {
    secrets: [],
    redactor: createRedactor(),
    sent: prompt,
  })
  return new TurnkeeperError('process_failed', `llama-cli ${what}`, said === '' ? {} : { excerpt: said })
}

function lastLine(stderr: Buffer): string {
  return stderr.toString('utf8').trimEnd().split('\n').at(-1) ?? ''
}

function tooMuch(bytes: number): TurnkeeperError {
  return new TurnkeeperError('process_failed', `llama-cli printed more than ${bytes} bytes`)
}
