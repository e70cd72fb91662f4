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
  'alertmanager_notification_latency_seconds_count',
  'alertmanager_notification_latency_seconds_sum',
]
