/** The agent of the chaos run: three tools, one of each effect class, that write down each time they run. */

import { setTimeout as sleep } from 'node:timers/promises'
import { z } from 'zod'
import type { Effect } from '../../src/queue/types.ts'
import { defineAgent } from '../../src/runtime/agent.ts'
import { defineTool, type Tool } from '../../src/runtime/tools/tool.ts'
import { writeEffect } from './effect-log.ts'
import type { ToolName } from './plan.ts'

const file = process.env.CHAOS_EFFECTS ?? ''

const tool = (name: ToolName, effect: Effect): Tool =>
  defineTool({
    name,
    description: `A tool whose effect is ${effect}.`,
    inputSchema: z.object({ id: z.string(), ms: z.number() }),
    effect,
    async execute({ id, ms }, { turnId, toolCallId, idempotencyKey, epoch }) {
      const at = Date.now()
      writeEffect(file, {
        call: id,
        tool: name,
        key: idempotencyKey,
        turnId,
        toolCallId,
        epoch,
        pid: process.pid,
        at,
      })
      await sleep(ms)
      return `${id} done`
    },
  })

export default [
  defineAgent({
    name: 'chaos',
    model: 'coder',
    tools: [tool('look_up', 'pure'), tool('put', 'idempotent'), tool('pay', 'unsafe')],
  }),
]
