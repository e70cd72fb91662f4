import { createRequire } from 'node:module'
import type { z } from 'zod'
import { TurnkeeperError } from '../../errors.ts'
import type { JsonSchema, ToolSpec } from '../../providers/types.ts'
import type { Effect } from '../../queue/types.ts'
import type { Log } from '../../telemetry/telemetry.ts'
import { createLimit } from './limit.ts'

/** What a tool is told about the call that it serves. */
export type ToolContext = {
  readonly turnId: string
  readonly sessionId: string
  readonly stepId: string
  readonly toolCallId: string
  /** The same on every attempt of this call, in any worker: hand it to whatever the tool changes. */
  readonly idempotencyKey: string
  /** Rises when another worker takes the turn over: a store of the tool's own may refuse lower ones. */
  readonly epoch: number
  /** Aborts on time-out, cancellation, a passed deadline, or when the turn is lost to another worker. */
  readonly signal: AbortSignal
  /** When the turn must have ended, in milliseconds since 1970. */
  readonly deadline?: number
  readonly log: Log
}

export type ToolDefinition<Input> = {
  /** 1 to 64 letters, digits, `_` or `-`. */
  readonly name: string
  /** For the model. */
  readonly description: string
  /** A zod schema, or a JSON Schema object. */
  readonly inputSchema: z.ZodType<Input> | JsonSchema
  /**
   * What running it twice would do: `pure` changes nothing, `idempotent` changes the same thing once when it is given
   * the same idempotency key, `unsafe` (the default) must not run twice.
   */
  readonly effect?: Effect
  readonly execute: (input: Input, context: ToolContext) => unknown
  /** Default 60,000. */
  readonly timeoutMs?: number
  /** Largest result handed to the model, as JSON; default 262,144. */
  readonly maxOutputBytes?: number
  /** Most calls of this tool at once in one worker; default: no limit. */
  readonly concurrency?: number
  /** Whether a person must approve a call first; a function decides by the input. Default false. */
  readonly needsApproval?: boolean | ((input: Input, context: ToolContext) => boolean)
  /** How long a call waits for its approval, after which it counts as rejected; default 24 hours. */
  readonly approvalTimeoutMs?: number
  /**
   * Finds out what became of an `unsafe` call whose worker was lost, by its idempotency key. Without it, or where it
   * returns nothing, the turn waits for a review.
   */
  readonly reconcile?: (
    idempotencyKey: string,
    context: ToolContext,
  ) => Reconciled | undefined | Promise<Reconciled | undefined>
}

/** What became of a call whose worker was lost. */
export type Reconciled = { readonly done: true; readonly result: unknown } | { readonly done: false }

export type ParsedInput =
  | { readonly ok: true; readonly value: unknown }
  | { readonly ok: false; readonly problem: string }

/** A tool, ready for the loop: its types erased, its schema in both forms. */
export type Tool = {
  readonly spec: ToolSpec
  readonly effect: Effect
  readonly timeoutMs: number
  readonly maxOutputBytes: number
  readonly approvalTimeoutMs: number
  needsApproval(input: unknown, context: ToolContext): boolean
  reconcile(idempotencyKey: string, context: ToolContext): Promise<Reconciled | undefined>
  /** Checks what a model sent; the problem is written for the model to read. */
  parse(input: unknown): ParsedInput
  /** `onStart` is called when the call's turn has come, just before the tool runs; what it throws stops the call. */
  execute(input: unknown, context: ToolContext, onStart?: () => void): Promise<unknown>
}

const NAME = /^[A-Za-z0-9_-]{1,64}$/

/**
 * Makes a tool of a function.
 * @throws TurnkeeperError `config/invalid_config` for a name or schema that no provider would take.
 */
export function defineTool<Input>(definition: ToolDefinition<Input>): Tool {
  const { name, description, inputSchema, effect = 'unsafe', execute } = definition
  const { timeoutMs = 60_000, maxOutputBytes = 262_144, approvalTimeoutMs = 24 * 3_600_000 } = definition
  const { needsApproval = false, reconcile, concurrency = Number.POSITIVE_INFINITY } = definition
  const limit = createLimit(concurrency)
  if (!NAME.test(name)) {
    throw new TurnkeeperError(
      'invalid_config',
      `tool name: expected 1 to 64 of A-Z a-z 0-9 _ -, got "${name}"`,
    )
  }
  const { validator, jsonSchema } = bothForms(name, inputSchema)
  return {
    spec: { name, description, inputSchema: jsonSchema },
    effect,
    timeoutMs,
    maxOutputBytes,
    approvalTimeoutMs,
    needsApproval: (input, context) =>
      typeof needsApproval === 'function' ? needsApproval(input as Input, context) : needsApproval,
    reconcile: async (idempotencyKey, context) => reconcile?.(idempotencyKey, context),
    parse(input) {
      const parsed = validator.safeParse(input)
      return parsed.success
        ? { ok: true, value: parsed.data }
        : { ok: false, problem: describeProblems(parsed.error) }
    },
    // The validator has made an Input of it: the one place where the erased type comes back.
    execute: (input, context, onStart) =>
      limit(async () => {
        onStart?.()
        return execute(input as Input, context)
      }),
  }
}

function bothForms(
  name: string,
  schema: z.ZodType | JsonSchema,
): { validator: z.ZodType; jsonSchema: JsonSchema } {
  try {
    if (isZodType(schema)) {
      const { $schema: _dialect, ...jsonSchema } = schema.toJSONSchema({ io: 'input' })
      return { validator: schema, jsonSchema }
    }
    const { fromJSONSchema } = loadZod()
    return {
      validator: fromJSONSchema(schema as Parameters<typeof fromJSONSchema>[0]),
      jsonSchema: schema,
    }
  } catch (cause) {
    throw new TurnkeeperError(
      'invalid_config',
      `tool ${name}: expected an input schema that JSON Schema can express: ${cause instanceof Error ? cause.message : cause}`,
      { cause },
    )
  }
}

/** By what it can do: the caller's zod need not be the copy that we would load. Throws for one that is too old. */
function isZodType(schema: z.ZodType | JsonSchema): schema is z.ZodType {
  if (typeof schema.safeParse !== 'function') return false
  if (typeof schema.toJSONSchema === 'function') return true
  throw new TypeError('its zod is older than 4.2; upgrade zod, or give a JSON Schema')
}

/** Only where a tool comes with a JSON Schema: who has zod schemas has loaded zod, and the others need not wait for it. */
const loadZod = (): typeof import('zod') => createRequire(import.meta.url)('zod')

function describeProblems(error: z.ZodError): string {
  return error.issues.map((issue) => `${issue.path.join('.') || 'input'}: ${issue.message}`).join('; ')
}
