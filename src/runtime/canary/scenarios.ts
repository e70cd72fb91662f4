/**
 * What must always work, as data: a question, and perhaps a tool with what it returns. Nothing here hangs on the words
 * of an answer; `run.ts` says what counts.
 */

import { z } from 'zod'
import type { Capability } from '../../providers/capabilities/capability.ts'
import type { ContentPart, ToolSpec } from '../../providers/types.ts'
import { blueSquare } from './image.ts'
import type { ScenarioName } from './names.ts'

export type Scenario = {
  readonly name: ScenarioName
  /** What a route must be able to do. */
  readonly needs: readonly Capability[]
  readonly prompt: string
  /** The model must call it; what it returns goes back, and an answer must follow. */
  readonly tool?: CanaryTool
}

export type CanaryTool = {
  readonly spec: ToolSpec
  readonly input: z.ZodType
  readonly result: () => string | readonly ContentPart[]
}

export const SCENARIOS: Readonly<Record<ScenarioName, Scenario>> = {
  text: { name: 'text', needs: [], prompt: 'Say hello in one short sentence.' },
  tools: {
    name: 'tools',
    needs: ['tools'],
    prompt: 'Look up the weather in Lisbon with the tool, then tell it in one short sentence.',
    tool: toolOf('look_up_weather', {
      description: 'Tells the weather of a city.',
      input: z.object({ city: z.string().min(1) }),
      result: () => 'sunny, 24 degrees',
    }),
  },
  // An image in the result of a tool goes to some vendors as it is, and to others in a message after the result.
  'tool-image': {
    name: 'tool-image',
    needs: ['tools', 'vision'],
    prompt: 'Take a photo with the camera Front, then tell its colour in one short sentence.',
    tool: toolOf('take_photo', {
      description: 'Takes a photo with a camera and returns it.',
      input: z.object({ camera: z.string().min(1) }),
      result: () => [{ type: 'text', text: 'The photo:' }, blueSquare()],
    }),
  },
}

function toolOf(
  name: string,
  { description, ...tool }: Omit<CanaryTool, 'spec'> & { readonly description: string },
): CanaryTool {
  const { $schema: _draft, ...inputSchema } = z.toJSONSchema(tool.input)
  return { ...tool, spec: { name, description, inputSchema } }
}
