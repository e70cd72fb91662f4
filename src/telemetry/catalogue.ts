/**
 * Every span and metric that Turnkeeper emits, as data: the code, the dashboards, the rules and the docs are
 * checked against this file. Units stand in the names; labels are enums and configured ids.
 */

type Metric = {
  readonly description: string
  /**
   * UCUM unit, as OpenTelemetry wants it. In braces where the name does not hold it: of others a Prometheus that is
   * sent metrics over OTLP makes a suffix.
   */
  readonly unit: string
  readonly labels: readonly string[]
}

type Histogram = Metric & { readonly buckets: readonly number[] }

const ATTEMPT_SECONDS = [0.1, 0.25, 0.5, 1, 2.5, 5, 10, 20, 30, 60, 120, 300, 600] as const
const FIRST_CHUNK_SECONDS = [
  0.01, 0.02, 0.04, 0.08, 0.16, 0.32, 0.64, 1.28, 2.56, 5.12, 10.24, 20.48, 40.96, 81.92,
] as const
const WAIT_SECONDS = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300, 600] as const
const OVERHEAD_SECONDS = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1, 5, 30] as const
const IDLE_SECONDS = [0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 20, 30, 60, 120] as const
const CALLS = [1, 2, 4, 8, 16, 32, 64, 128] as const
const STALL_SECONDS = [1, 5, 10, 20, 30, 45, 60, 90, 120, 300, 600] as const

export const COUNTERS = {
  provider_attempts_total: {
    description: 'Physical requests of model calls, by their outcome.',
    unit: '{attempt}',
    labels: ['route', 'provider', 'model', 'outcome'],
  },
  provider_html_payload_total: {
    description: 'Answers that were HTML instead of JSON or an event stream.',
    unit: '{payload}',
    labels: ['route', 'provider', 'phase'],
  },
  provider_stall_count_total: {
    description: 'Attempts that received nothing for longer than the idle limit.',
    unit: '{stall}',
    labels: ['route', 'provider', 'phase'],
  },
  provider_raw_excerpt_missing_total: {
    description: 'Failed attempts whose record, or a part of it, could not be kept.',
    unit: '{failure}',
    labels: ['route', 'provider', 'reason'],
  },
  provider_retries_total: {
    description: 'Second requests on the same route.',
    unit: '{retry}',
    labels: ['route', 'reason'],
  },
  provider_responses_total: {
    description: 'Responses by what their body turned out to be.',
    unit: '{response}',
    labels: ['route', 'content_type'],
  },
  provider_http_status_total: {
    description: 'Responses by HTTP status.',
    unit: '{response}',
    labels: ['route', 'status'],
  },
  provider_request_id_missing_total: {
    description: "Responses without an id that the upstream's support could look up.",
    unit: '{response}',
    labels: ['route'],
  },
  provider_cost_usd_total: {
    description: 'What attempts cost, at the prices of the provider or of the dated table, in US dollars.',
    unit: '{USD}',
    labels: ['provider', 'model'],
  },
  route_probes_total: {
    description: 'Probes of how a route can be asked, by cell and by what they found; no attempts of calls.',
    unit: '{probe}',
    labels: ['route', 'cell', 'verdict'],
  },
  route_probe_cost_usd_total: {
    description: 'What these probes cost, in US dollars; at an assumed price where none is known.',
    unit: '{USD}',
    labels: ['route'],
  },
  translation_errors_total: {
    description:
      'Calls that were refused before anything was sent, since the protocol of a route has no words for a parameter or a kind of content.',
    unit: '{call}',
    labels: ['from', 'to'],
  },
  canary_runs_total: {
    description: 'Runs of the scenarios of `turnkeeper canary`, by how they ended.',
    unit: '{run}',
    labels: ['scenario', 'result'],
  },
  route_reroutes_total: {
    description: 'Moves of a model call to another route of its alias.',
    unit: '{reroute}',
    labels: ['alias', 'from_route', 'to_route', 'reason'],
  },
  route_mitigations_total: {
    description:
      'Moves of the mitigation of an alias or of a segment of it, by the process that made them: warned, cleared, moved, failed (the fallback cannot serve), returning, returned.',
    unit: '{move}',
    labels: ['alias', 'result'],
  },
  route_health_transitions_total: {
    description: 'Changes of breaker state seen by this process.',
    unit: '{transition}',
    labels: ['route', 'from', 'to', 'reason'],
  },
  credential_health_transitions_total: {
    description: 'Changes of the breaker of a credential (`provider#id`) seen by this process.',
    unit: '{transition}',
    labels: ['credential', 'from', 'to', 'reason'],
  },
  gen_ai_client_inference_usage_input_tokens_total: {
    description: 'Input tokens that upstreams reported, cached ones included, of failed attempts too.',
    unit: '{token}',
    labels: ['gen_ai_operation_name', 'gen_ai_request_model', 'route'],
  },
  gen_ai_client_inference_usage_output_tokens_total: {
    description: 'Output tokens that upstreams reported, reasoning included.',
    unit: '{token}',
    labels: ['gen_ai_operation_name', 'gen_ai_request_model', 'route'],
  },
  gen_ai_client_inference_usage_cache_read_input_tokens_total: {
    description: 'Input tokens that upstreams reported as read from their cache.',
    unit: '{token}',
    labels: ['gen_ai_operation_name', 'gen_ai_request_model', 'route'],
  },
  gen_ai_client_inference_usage_reasoning_output_tokens_total: {
    description: 'Output tokens that upstreams reported as reasoning.',
    unit: '{token}',
    labels: ['gen_ai_operation_name', 'gen_ai_request_model', 'route'],
  },
  turns_total: {
    description: 'Turns that reached a terminal state on this worker.',
    unit: '{turn}',
    labels: ['agent', 'outcome'],
  },
  worker_jobs_stalled_total: {
    description:
      'Wake-ups whose worker lost its lock, seen by this process: it died, or its event loop stood still.',
    unit: '{job}',
    labels: ['queue'],
  },
  telemetry_redactions_total: {
    description:
      'Texts and fields masked before they were logged, traced or recorded, by what gave them away.',
    unit: '{redaction}',
    labels: ['field'],
  },
  redis_unavailable_seconds_total: {
    description: 'Time during which this process could not reach Redis.',
    unit: 's',
    labels: [],
  },
} as const satisfies Record<string, Metric>

export const HISTOGRAMS = {
  provider_attempt_duration_seconds: {
    description: 'Duration of an attempt, body included.',
    unit: 's',
    labels: ['route', 'model', 'outcome'],
    buckets: ATTEMPT_SECONDS,
  },
  provider_stall_duration_seconds: {
    description: 'Silence after which an attempt was given up.',
    unit: 's',
    labels: ['route'],
    buckets: STALL_SECONDS,
  },
  provider_stream_idle_seconds: {
    description: 'Longest silence within a streamed answer, however it ended.',
    unit: 's',
    labels: ['route'],
    buckets: IDLE_SECONDS,
  },
  gen_ai_client_inference_duration_seconds: {
    description: 'Duration of a logical model call with all its retries and reroutes.',
    unit: 's',
    labels: ['gen_ai_operation_name', 'gen_ai_request_model', 'route'],
    buckets: ATTEMPT_SECONDS,
  },
  gen_ai_client_inference_time_to_first_chunk_seconds: {
    description: 'Time from the start of a logical model call to its first content.',
    unit: 's',
    labels: ['gen_ai_operation_name', 'gen_ai_request_model', 'route'],
    buckets: FIRST_CHUNK_SECONDS,
  },
  gen_ai_execute_tool_duration_seconds: {
    description: 'Duration of a tool call.',
    unit: 's',
    labels: ['gen_ai_tool_name', 'outcome'],
    buckets: WAIT_SECONDS,
  },
  gen_ai_invoke_agent_duration_seconds: {
    description:
      'Duration of one run of an agent on one worker; a turn that is taken over or waits has several.',
    unit: 's',
    labels: ['gen_ai_agent_name', 'outcome'],
    buckets: ATTEMPT_SECONDS,
  },
  gen_ai_invoke_agent_inference_calls: {
    description: 'Model calls of a turn that ended.',
    unit: '{call}',
    labels: ['gen_ai_agent_name'],
    buckets: CALLS,
  },
  gen_ai_invoke_agent_tool_calls: {
    description: 'Tool calls of a turn that ended.',
    unit: '{call}',
    labels: ['gen_ai_agent_name'],
    buckets: CALLS,
  },
  messaging_process_duration_seconds: {
    description: 'Duration of the work on one wake-up that had a turn to run.',
    unit: 's',
    labels: ['messaging_system_name', 'messaging_operation_name', 'messaging_destination_name'],
    buckets: ATTEMPT_SECONDS,
  },
  runtime_overhead_seconds: {
    description: 'Time of our own writes that a turn waits for: claim, begin, commit, finish.',
    unit: 's',
    labels: ['stage'],
    buckets: OVERHEAD_SECONDS,
  },
  turn_duration_seconds: {
    description: 'From the acceptance of a turn to its end.',
    unit: 's',
    labels: ['agent', 'outcome'],
    buckets: ATTEMPT_SECONDS,
  },
  queue_wait_seconds: {
    description: 'From the moment at which a turn was due to its first start.',
    unit: 's',
    labels: ['queue'],
    buckets: WAIT_SECONDS,
  },
} as const satisfies Record<string, Histogram>

export const GAUGES = {
  route_health_state: {
    description: 'Breaker state of a route, one-hot.',
    unit: '{state}',
    labels: ['route', 'state'],
  },
  route_unhealthy_since_timestamp_seconds: {
    description: 'Since when the route is open or half-open; 0 while it is usable.',
    unit: 's',
    labels: ['route'],
  },
  provider_stream_idle_max_seconds: {
    description:
      'How long the most silent stream that is open on a route now has sent nothing; 0 where none is.',
    unit: 's',
    labels: ['route'],
  },
  route_mitigation_active: {
    description:
      '1 while an alias, or a segment of it, has moved to its fallback or is returning from there.',
    unit: '{alias}',
    labels: ['alias', 'from_route', 'to_route'],
  },
  route_health_score: {
    description:
      'Health of a route from 0 to 1: its breaker state times what this process has seen of it lately.',
    unit: '{score}',
    labels: ['route'],
  },
  credential_health_state: {
    description: 'Breaker state of a credential, one-hot.',
    unit: '{state}',
    labels: ['provider', 'credential', 'state'],
  },
  provider_quota_pressure: {
    description:
      'Share of 429s among the recent answers to a credential, 0 to 1, as this process has seen them.',
    unit: '{share}',
    labels: ['provider', 'credential'],
  },
  route_info: {
    description: '1 for each route of each alias.',
    unit: '{route}',
    labels: ['route', 'alias', 'provider', 'model'],
  },
  queue_jobs: {
    description:
      'Turns that wait: ready (first of their session, could start now) and limited (wait for their tenant).',
    unit: '{job}',
    labels: ['queue', 'state'],
  },
  queue_oldest_job_age_seconds: {
    description: 'How long the first of the turns that could start now has been able to.',
    unit: 's',
    labels: ['queue'],
  },
  worker_active_jobs: {
    description: 'Turns that this worker runs now.',
    unit: '{turn}',
    labels: ['queue'],
  },
  worker_concurrency: {
    description: 'Turns that this worker may run at once.',
    unit: '{turn}',
    labels: ['queue'],
  },
  worker_deaf: {
    description: '1 while this worker is connected and yet fetches nothing.',
    unit: '{worker}',
    labels: [],
  },
  turns_open: {
    description: 'Turns that have not ended, by state; from the one process of the fleet that counts.',
    unit: '{turn}',
    labels: ['state'],
  },
  turns_dead_letter: {
    description:
      'Turns that were given up and not retried since; from the one process of the fleet that counts.',
    unit: '{turn}',
    labels: [],
  },
  nodejs_eventloop_delay_p99_seconds: {
    description: 'How late the event loop was since the last scrape, 99th percentile.',
    unit: 's',
    labels: [],
  },
  nodejs_eventloop_utilization_ratio: {
    description: 'Share of the time since the last scrape in which the event loop was busy, 0 to 1.',
    unit: '1',
    labels: [],
  },
  v8js_memory_heap_used_bytes: {
    description: 'Used part of the JavaScript heap, by space.',
    unit: 'By',
    labels: ['v8js_heap_space_name'],
  },
  v8js_memory_heap_limit_bytes: {
    description: 'The size at which the JavaScript heap is full and the process ends.',
    unit: 'By',
    labels: [],
  },
  process_start_time_seconds: {
    description: 'When this process started, since 1970; it changes at each restart.',
    unit: 's',
    labels: [],
  },
  runtime_build_info: {
    description: '1, with the version of this process.',
    unit: '{build}',
    labels: ['version'],
  },
} as const satisfies Record<string, Metric>

type Span = {
  readonly kind: 'client' | 'server' | 'producer' | 'consumer' | 'internal'
  /** The attribute whose value follows the operation in the span's name, if any. */
  readonly subject?: string
}

/** The trace of one turn, from the outside to the inside. */
export const OPERATIONS = {
  'send turns': { kind: 'producer' },
  'process turns': { kind: 'consumer' },
  invoke_agent: { kind: 'internal', subject: 'gen_ai.agent.name' },
  chat: { kind: 'client', subject: 'gen_ai.request.model' },
  provider_attempt: { kind: 'internal' },
  POST: { kind: 'client' },
  execute_tool: { kind: 'internal', subject: 'gen_ai.tool.name' },
} as const satisfies Record<string, Span>

export type CounterName = keyof typeof COUNTERS
export type HistogramName = keyof typeof HISTOGRAMS
export type GaugeName = keyof typeof GAUGES
export type Operation = keyof typeof OPERATIONS
