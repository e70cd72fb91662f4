/** The request that every subject sends: a short conversation and two tools. */

export const SYSTEM = 'You are a helpful assistant. Answer briefly and use the tools where they help.'
export const PROMPT = 'What is the weather in Prague today, and should I take an umbrella with me?'
export const TOOL_RESULT = { city: 'Prague', degrees: 21, sky: 'clear' }

const parameters = {
  type: 'object',
  properties: {
    city: { type: 'string', description: 'Name of the city' },
    unit: { type: 'string', enum: ['celsius', 'fahrenheit'], description: 'Unit of the temperature' },
  },
  required: ['city'],
  additionalProperties: false,
}

/** Name, description and JSON Schema of the tools. */
export const TOOLS = [
  { name: 'weather', description: 'Says what the weather is in a city.', parameters },
  { name: 'forecast', description: 'Says what the weather will be in a city tomorrow.', parameters },
] as const

/** The tools as OpenAI's chat API has them. */
export const CHAT_TOOLS = TOOLS.map((tool) => ({ type: 'function' as const, function: tool }))

export const CHAT_MESSAGES = [
  { role: 'system' as const, content: SYSTEM },
  { role: 'user' as const, content: PROMPT },
]
