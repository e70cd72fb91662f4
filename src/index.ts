/** The public surface of Turnkeeper. */

export {
  type AttemptSummary,
  type Category,
  type Reason,
  type SerializedError,
  TurnkeeperError,
} from './errors.ts'
export { createProvider, type ProviderOptions } from './providers/provider.ts'
export type {
  Answer,
  ContentPart,
  FinishReason,
  ImageContent,
  JsonSchema,
  Message,
  ModelParameters,
  ModelRequest,
  Provider,
  Reasoning,
  ResponseFormat,
  RunOptions,
  StreamPart,
  TextContent,
  Timeouts,
  ToolCall,
  ToolChoice,
  ToolSpec,
  Usage,
} from './providers/types.ts'
