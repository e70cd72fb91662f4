/** The public surface: everything that a user may import from `turnkeeper`. */

export {
  type AttemptSummary,
  type Category,
  errorFromJson,
  type Reason,
  type SerializedError,
  TurnkeeperError,
} from './errors.ts'
export type { Ability, Capability, RouteCapabilities } from './providers/capabilities/capability.ts'
export { createProviderRuntime } from './providers/create-runtime.ts'
export type { ProviderModels } from './providers/models/catalogue.ts'
export type { ModelInfo, Price } from './providers/models/model-info.ts'
export type { RequestEstimate } from './providers/models/offers.ts'
export { createProvider, type ProviderOptions } from './providers/provider.ts'
export type { ProviderRecord } from './providers/recorder/record.ts'
export type { ListRecords, RecordReader } from './providers/recorder/record-store.ts'
export type { Fact, RouteProfile } from './providers/routing/probes/cells.ts'
export type { ProviderRuntime } from './providers/runtime.ts'
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
export type { AuditEntry } from './queue/audit.ts'
export type { EnqueueOptions, TurnClient } from './queue/client/client.ts'
export { type ConnectOptions, connect } from './queue/client/connect.ts'
export type { Decider, ReviewDecision } from './queue/client/decisions.ts'
export type { PendingCall, TurnDetails } from './queue/client/details.ts'
export type { TurnHandle, WaitOptions } from './queue/client/handle.ts'
export type { ListOptions, TurnPage } from './queue/client/listing.ts'
export type { ReadOptions } from './queue/events/events.ts'
export type {
  Effect,
  TurnEvent,
  TurnOptions,
  TurnRecord,
  TurnResult,
  TurnState,
  TurnStep,
} from './queue/types.ts'
export { type Agent, type AgentDefinition, defineAgent } from './runtime/agent.ts'
export { defineTool, type Tool, type ToolContext, type ToolDefinition } from './runtime/tools/tool.ts'
export { createWorker } from './runtime/worker/create-worker.ts'
export type { Worker, WorkerOptions } from './runtime/worker/worker.ts'
