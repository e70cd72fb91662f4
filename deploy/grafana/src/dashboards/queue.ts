import type { Dashboard } from '@grafana/grafana-foundation-sdk/dashboard'
import { dashboard } from '../frame.ts'
import { DEAF } from '../meanings.ts'
import { lines, number, states, table } from '../panels.ts'
import { quantile, rate, selector, shared } from '../promql.ts'
import { FLOORS, LIMITS } from '../thresholds.ts'

const jobs = selector(['job'])
const INSTANCE = '{{job}} {{instance}}'

const waiting = [
  lines(
    {
      title: 'Turns that wait',
      description: 'Ready ones could start now; limited ones wait for the limit of their tenant.',
      unit: 'suffix: turns',
      min: 0,
      queries: [{ expr: shared('queue_jobs', 'queue, state'), legend: '{{queue}} {{state}}' }],
      limits: LIMITS.backlog,
      width: 8,
    },
    { stacked: true },
  ),
  lines({
    title: 'Age of the oldest turn that could start',
    description: 'The signal to scale on. Two minutes for five minutes raise an alert.',
    unit: 's',
    min: 0,
    queries: [{ expr: shared('queue_oldest_job_age_seconds', 'queue'), legend: '{{queue}}' }],
    limits: LIMITS.queueAgeSeconds,
    width: 8,
  }),
  lines({
    title: 'Wait before the first start',
    description: 'From the moment a turn was due to its first start on a worker.',
    unit: 's',
    queries: [
      { expr: quantile(0.5, 'queue_wait_seconds', 'queue', jobs), legend: '{{queue}} p50' },
      { expr: quantile(0.95, 'queue_wait_seconds', 'queue', jobs), legend: '{{queue}} p95' },
    ],
    width: 8,
  }),
  lines(
    {
      title: 'Turns not ended, by state',
      description: 'Counted by one process of the fleet.',
      unit: 'suffix: turns',
      min: 0,
      queries: [{ expr: shared('turns_open', 'state'), legend: '{{state}}' }],
      width: 8,
    },
    { stacked: true },
  ),
  number({
    title: 'Dead letters',
    description: 'Turns that were given up and not retried since: `turnkeeper turns list --dead`.',
    unit: 'none',
    queries: [{ expr: shared('turns_dead_letter', ''), legend: 'turns' }],
    limits: LIMITS.some,
    width: 4,
    height: 8,
  }),
  number({
    title: 'Needs review',
    description:
      'Turns whose unsafe tool may or may not have run: a person decides, `turnkeeper turns resolve`.',
    unit: 'none',
    queries: [{ expr: shared('turns_open', '', 'state="needs_review"'), legend: 'turns' }],
    limits: LIMITS.some,
    width: 4,
    height: 8,
  }),
  lines({
    title: 'Backlog per worker',
    description:
      'Turns that could start now for each worker that answers: with the age, the reason to add workers.',
    unit: 'suffix: turns',
    min: 0,
    queries: [
      {
        expr: `sum(${shared('queue_jobs', 'queue, state', 'state="ready"')}) / sum(up{job="worker"})`,
        legend: 'ready turns per worker',
      },
    ],
    width: 8,
  }),
]

const workers = [
  lines({
    title: 'Workers at work',
    description: 'Running turns over the turns that each worker may run at once. At 100 % the queue grows.',
    unit: 'percentunit',
    min: 0,
    max: 1,
    queries: [
      {
        expr: `sum by (instance) (worker_active_jobs{${jobs}}) / sum by (instance) (worker_concurrency{${jobs}})`,
        legend: '{{instance}}',
      },
    ],
    limits: LIMITS.saturation,
    width: 8,
  }),
  lines(
    {
      title: 'Running turns',
      description: 'Turns that each worker runs at this moment.',
      unit: 'suffix: turns',
      min: 0,
      queries: [{ expr: `sum by (instance) (worker_active_jobs{${jobs}})`, legend: '{{instance}}' }],
      width: 8,
    },
    { stacked: true },
  ),
  lines({
    title: 'Lost locks in 10 minutes',
    description:
      'Wake-ups whose worker died or stood still. Turns go on elsewhere; many of them mean blocked event loops.',
    unit: 'suffix: locks',
    decimals: 0,
    min: 0,
    queries: [
      { expr: `sum by (queue) (increase(worker_jobs_stalled_total{${jobs}}[10m]))`, legend: '{{queue}}' },
    ],
    limits: LIMITS.some,
    width: 8,
  }),
  states(
    {
      title: 'Deaf workers',
      description: 'A worker that is connected and yet fetches nothing. It mends itself or ends.',
      unit: 'none',
      queries: [{ expr: `max by (instance) (worker_deaf{${jobs}})`, legend: '{{instance}}' }],
      width: 8,
    },
    DEAF,
  ),
  lines({
    title: 'Time on one wake-up, p95',
    description: 'From the claim of a turn to its end or hand-back, on one worker.',
    unit: 's',
    queries: [
      {
        expr: quantile(0.95, 'messaging_process_duration_seconds', 'messaging_destination_name', jobs),
        legend: '{{messaging_destination_name}}',
      },
    ],
    width: 8,
  }),
  lines({
    title: 'Redis out of reach',
    description: 'Share of time in which a process could not reach Redis.',
    unit: 'percentunit',
    min: 0,
    queries: [{ expr: rate('redis_unavailable_seconds_total', 'job, instance', jobs), legend: INSTANCE }],
    width: 8,
  }),
]

const processes = [
  lines({
    title: 'Delay of the event loop, p99',
    description:
      'How late the loop was since the last scrape. Above a few hundred milliseconds heartbeats are at risk.',
    unit: 's',
    min: 0,
    queries: [
      { expr: `max by (job, instance) (nodejs_eventloop_delay_p99_seconds{${jobs}})`, legend: INSTANCE },
    ],
    width: 6,
  }),
  lines({
    title: 'Busy event loop',
    description: 'Share of time in which the loop was at work: one core is 100 %.',
    unit: 'percentunit',
    min: 0,
    max: 1,
    queries: [
      { expr: `max by (job, instance) (nodejs_eventloop_utilization_ratio{${jobs}})`, legend: INSTANCE },
    ],
    limits: LIMITS.saturation,
    width: 6,
  }),
  lines({
    title: 'Heap in use',
    description: 'Used part of the JavaScript heap over the size at which the process ends.',
    unit: 'percentunit',
    min: 0,
    max: 1,
    queries: [
      {
        expr: `sum by (job, instance) (v8js_memory_heap_used_bytes{${jobs}}) / max by (job, instance) (v8js_memory_heap_limit_bytes{${jobs}})`,
        legend: INSTANCE,
      },
    ],
    limits: LIMITS.saturation,
    width: 6,
  }),
  table({
    title: 'Processes',
    description: 'Age of each process, and how often it started anew in the last hour.',
    unit: 's',
    decimals: 0,
    queries: [
      { expr: `time() - max by (job, instance) (process_start_time_seconds{${jobs}})`, legend: 'age' },
      {
        expr: `sum by (job, instance) (changes(process_start_time_seconds{${jobs}}[1h]))`,
        legend: 'restarts in 1 h',
        unit: 'none',
      },
    ],
    width: 6,
  }),
  number({
    title: 'Scrapes that succeed',
    description: 'Share of processes of each kind that answer Prometheus.',
    unit: 'percentunit',
    queries: [{ expr: `avg by (job) (up{${jobs}})`, legend: '{{job}}' }],
    limits: FLOORS.up,
    width: 24,
  }),
]

/** Do turns wait, and are there workers to run them. */
export function queue(): Dashboard {
  return dashboard({
    uid: 'turnkeeper-queue',
    title: 'queue and workers',
    description: 'Do turns wait, are there workers to run them, and are those well.',
    variables: ['job'],
    sections: [
      { title: 'Queue', panels: waiting },
      { title: 'Workers', panels: workers },
      { title: 'Processes', panels: processes },
    ],
  })
}
