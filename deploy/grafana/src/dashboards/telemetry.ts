import type { Dashboard } from '@grafana/grafana-foundation-sdk/dashboard'
import { dashboard } from '../frame.ts'
import { LOADED, SOUNDS } from '../meanings.ts'
import { lines, number, table } from '../panels.ts'
import { mean, rate, selector } from '../promql.ts'
import { FLOORS, LIMITS } from '../thresholds.ts'

const jobs = selector(['job'])
const WINDOW = '[$__rate_interval]'

const scrapes = [
  number({
    title: 'Targets that answer',
    description: 'Scraped processes of each kind that answer.',
    unit: 'percentunit',
    queries: [{ expr: 'avg by (job) (up)', legend: '{{job}}' }],
    limits: FLOORS.up,
    width: 12,
    height: 6,
  }),
  number(
    {
      title: 'Dead-man switch',
      description: 'The alert that always fires. Without it nothing would reach anybody.',
      unit: 'none',
      queries: [
        { expr: 'count(ALERTS{alertname="Watchdog",alertstate="firing"}) or vector(0)', legend: 'Watchdog' },
      ],
      limits: FLOORS.up,
      width: 4,
      height: 6,
    },
    SOUNDS,
  ),
  number({
    title: 'Overflowing metrics',
    description:
      'Metrics with more series than their limit: the rest is folded into one and tells no route apart.',
    unit: 'none',
    queries: [
      { expr: 'count(count by (__name__) ({otel_metric_overflow="true"})) or vector(0)', legend: 'metrics' },
    ],
    limits: LIMITS.some,
    width: 4,
    height: 6,
  }),
  number(
    {
      title: 'Last configuration load',
      description: 'Whether Prometheus and Alertmanager took the configuration they were given last.',
      unit: 'none',
      queries: [
        { expr: 'min(prometheus_config_last_reload_successful)', legend: 'Prometheus' },
        { expr: 'min(alertmanager_config_last_reload_successful)', legend: 'Alertmanager' },
      ],
      limits: FLOORS.up,
      width: 4,
      height: 6,
    },
    LOADED,
  ),
  lines({
    title: 'Time of a scrape',
    description: 'A slow page is a busy process, or one with too many series.',
    unit: 's',
    min: 0,
    queries: [
      { expr: `max by (job, instance) (scrape_duration_seconds{${jobs}})`, legend: '{{job}} {{instance}}' },
    ],
    width: 12,
  }),
  lines({
    title: 'Series of a scrape',
    description:
      'How many series each process shows. It grows with routes, agents and tools, never with traffic.',
    unit: 'suffix: series',
    min: 0,
    queries: [
      { expr: `max by (job, instance) (scrape_samples_scraped{${jobs}})`, legend: '{{job}} {{instance}}' },
    ],
    width: 12,
  }),
]

const rules = [
  lines({
    title: 'Failed evaluations of rules',
    description: 'A rule that cannot be evaluated alerts nobody. There should be none.',
    unit: 'suffix: failures/s',
    min: 0,
    queries: [
      {
        expr: byGroup(`sum by (rule_group) (rate(prometheus_rule_evaluation_failures_total${WINDOW}))`),
        legend: '{{group}}',
      },
    ],
    width: 8,
  }),
  lines({
    title: 'Time to evaluate a group',
    description: 'Last evaluation of each group of rules; it must stay far below its interval.',
    unit: 's',
    min: 0,
    queries: [
      {
        expr: byGroup('max by (rule_group) (prometheus_rule_group_last_duration_seconds)'),
        legend: '{{group}}',
      },
    ],
    width: 8,
  }),
  lines({
    title: 'Alerts dropped by Prometheus',
    description: 'Notifications that never reached Alertmanager.',
    unit: 'suffix: alerts/s',
    min: 0,
    queries: [
      {
        expr: `sum by (instance) (rate(prometheus_notifications_dropped_total${WINDOW}))`,
        legend: '{{instance}}',
      },
    ],
    width: 8,
  }),
]

const deliveries = [
  lines({
    title: 'Notifications',
    description: 'What Alertmanager sends, by integration.',
    unit: 'suffix: /s',
    min: 0,
    queries: [
      {
        expr: `sum by (integration) (rate(alertmanager_notifications_total${WINDOW})) and on (integration) sum by (integration) (alertmanager_notifications_total) > 0`,
        legend: '{{integration}}',
      },
    ],
    width: 8,
  }),
  lines({
    title: 'Notifications that fail',
    description: 'Share of deliveries that failed. Above 1 % an alert fires, over the other integrations.',
    unit: 'percentunit',
    min: 0,
    max: 1,
    queries: [
      {
        expr: `sum by (integration) (rate(alertmanager_notifications_failed_total${WINDOW})) / (sum by (integration) (rate(alertmanager_notifications_total${WINDOW})) > 0)`,
        legend: '{{integration}}',
      },
    ],
    limits: LIMITS.deliveryFailures,
    width: 8,
  }),
  lines({
    title: 'Time of a delivery, mean',
    description:
      'How long the receivers take to accept a notification. No quantile, since Alertmanager’s buckets begin at 1 s.',
    unit: 's',
    min: 0,
    queries: [
      {
        expr: mean('alertmanager_notification_latency_seconds', 'integration', ''),
        legend: '{{integration}}',
      },
    ],
    width: 8,
  }),
]

const safety = [
  lines({
    title: 'Redactions',
    description:
      'Texts and fields masked before they were logged, traced or recorded, by what gave them away.',
    unit: 'suffix: /s',
    min: 0,
    queries: [{ expr: rate('telemetry_redactions_total', 'field', jobs), legend: '{{field}}' }],
    width: 8,
  }),
  lines({
    title: 'Answers without a request id',
    description: 'Answers that the upstream’s support could not look up.',
    unit: 'suffix: answers/s',
    min: 0,
    queries: [{ expr: rate('provider_request_id_missing_total', 'route', jobs), legend: '{{route}}' }],
    width: 8,
  }),
  table({
    title: 'Versions',
    description: 'How many processes of each kind run which version.',
    unit: 'none',
    queries: [{ expr: `count by (job, version) (runtime_build_info{${jobs}})`, legend: 'processes' }],
    width: 8,
  }),
]

/** A group of rules is called by its file and its name; the name is enough. */
function byGroup(expr: string): string {
  return `label_replace(${expr}, "group", "$1", "rule_group", ".*;(.*)")`
}

/** Who watches the watchers. */
export function telemetry(): Dashboard {
  return dashboard({
    uid: 'turnkeeper-telemetry',
    title: 'telemetry health',
    description: 'Whether what the other dashboards show can be believed, and whether alerts arrive.',
    variables: ['job'],
    sections: [
      { title: 'Scrapes', panels: scrapes },
      { title: 'Rules', panels: rules },
      { title: 'Deliveries', panels: deliveries },
      { title: 'Safety and versions', panels: safety },
    ],
  })
}
