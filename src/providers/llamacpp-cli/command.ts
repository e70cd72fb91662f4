/**
 * From a request to the command line of `llama-cli` and the files that it reads.
 *
 * C1. Nothing that a client wrote stands on the command line but a model's name, and that only behind the absolute
 *     path of the folder it is in: it can neither be a flag nor leave the folder.
 * C2. Prompts travel in files, since command lines are public on a machine, and are not read for escapes.
 *
 * https://github.com/ggml-org/llama.cpp/blob/master/tools/cli/README.md
 */

import { isAbsolute, join, relative, resolve } from 'node:path'
import { TurnkeeperError } from '../../errors.ts'
import { wireParameters } from '../parameters/wire.ts'
import type { ModelParameters, ModelRequest, ResponseFormat } from '../types.ts'
import { toPrompt } from './prompt.ts'

/** How a local `llama-cli` is run. */
export type LlamaCommand = {
  /** A path, or a name that is looked up on PATH. */
  readonly binary: string
  /** Given before our own arguments, for instance `--threads 8`. Default none. */
  readonly args?: readonly string[]
  /** Folder of the model files: model `x` is its file `x`, or `x.gguf`. */
  readonly modelsDir: string
}

/** A file in the private folder of one attempt. */
export type PromptFile = { readonly name: string; readonly content: string }

export type Invocation = {
  readonly args: readonly string[]
  readonly files: readonly PromptFile[]
  /** As it stands in its file, to find its echo. */
  readonly prompt: string
}

/** The model's file. Throws `not_found/model_not_found` for a name that leads out of the folder. */
export function modelFile({ modelsDir }: LlamaCommand, model: string): string {
  const folder = resolve(modelsDir)
  const file = join(folder, model.endsWith('.gguf') ? model : `${model}.gguf`)
  const inside = relative(folder, file)
  if (model === '' || model.includes('\0') || inside.startsWith('..') || isAbsolute(inside)) {
    throw new TurnkeeperError('model_not_found', 'expected the name of a model file below modelsDir')
  }
  return file
}

/** The invocation for a request, with its files in `folder`. Throws `bad_request/…` for what llama-cli cannot do. */
export function toInvocation(
  { args = [] }: LlamaCommand,
  request: ModelRequest,
  { model, folder }: { readonly model: string; readonly folder: string },
): Invocation {
  const { system, prompt } = toPrompt(request)
  const schema = schemaOf(request.responseFormat)
  const files: readonly (PromptFile & { readonly flag: string })[] = [
    { flag: '--file', name: 'prompt.txt', content: prompt },
    ...(system === '' ? [] : [{ flag: '--system-prompt-file', name: 'system.txt', content: system }]),
    ...(schema === undefined
      ? []
      : [{ flag: '--json-schema-file', name: 'schema.json', content: JSON.stringify(schema) }]),
  ]
  return {
    prompt,
    files: files.map(({ name, content }) => ({ name, content })),
    args: [
      ...args,
      ...['--model', model],
      ...files.flatMap(({ flag, name }) => [flag, join(folder, name)]),
      ...['--single-turn', '--simple-io', '--no-display-prompt', '--no-escape', '--no-show-timings'],
      ...toSampling(request.parameters ?? {}),
    ],
  }
}

function toSampling(parameters: ModelParameters): readonly string[] {
  if (parameters.stop !== undefined && parameters.stop.length > 0) {
    throw new TurnkeeperError('invalid_parameter', 'stop: llama-cli has no stop sequences; leave it out')
  }
  const { wire } = wireParameters('llamacpp-cli', undefined, parameters)
  return Object.entries(wire).flatMap(([flag, value]) => [flag, String(value)])
}

function schemaOf(format: ResponseFormat | undefined): object | undefined {
  if (format === undefined || format.type === 'text') return undefined
  return format.type === 'json' ? {} : format.schema
}
