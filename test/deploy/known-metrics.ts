/** Metrics on dashboards that our own processes do not export. */

/** Written by Prometheus from deploy/prometheus/rules. */
export const RECORDED = [
  'provider_html_payload_rate',
  'provider_raw_excerpt_missing',
  'provider_stall_count',
  'route:route_health_state:code',
  'model:provider_attempts:increase10m',
  'model:provider_attempt_errors:ratio10m',
  'job:turn_errors:ratio5m',
  'job:turn_errors:ratio1h',
  'job:turn_errors:ratio6h',
]

/** Of Prometheus and Alertmanager themselves. */
export const STANDARD = [
  'up',
  'ALERTS',
  'scrape_duration_seconds',
  'scrape_samples_scraped',
  'prometheus_config_last_reload_successful',
  'prometheus_rule_evaluation_failures_total',
  'prometheus_rule_group_last_duration_seconds',
  'prometheus_notifications_dropped_total',
  'alertmanager_config_last_reload_successful',
  'alertmanager_notifications_total',
  'alertmanager_notifications_failed_total',
  'alertmanager_notification_latency_seconds_bucket',
]

/** Agreed names that the catalogue does not have yet. One that it has must leave this list. */
export const AGREED: readonly string[] = [
  'route_mitigation_active',
  'route_mitigations_total',
  'gen_ai_client_inference_usage_input_tokens_total',
  'gen_ai_client_inference_usage_output_tokens_total',
  'gen_ai_client_inference_usage_cache_read_input_tokens_total',
  'gen_ai_client_inference_usage_reasoning_output_tokens_total',
  'gen_ai_invoke_agent_duration_seconds',
  'gen_ai_invoke_agent_inference_calls',
  'gen_ai_invoke_agent_tool_calls',
  'messaging_process_duration_seconds',
  'nodejs_eventloop_delay_p99_seconds',
  'nodejs_eventloop_utilization_ratio',
  'process_start_time_seconds',
  'provider_request_id_missing_total',
  'provider_stream_idle_max_seconds',
  'provider_stream_idle_seconds',
  'runtime_overhead_seconds',
  'telemetry_redactions_total',
  'v8js_memory_heap_limit_bytes',
  'v8js_memory_heap_used_bytes',
  'worker_jobs_stalled_total',
]
