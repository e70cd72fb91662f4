import type { Dashboard } from '@grafana/grafana-foundation-sdk/dashboard'
import { dashboard } from '../frame.ts'
import { tracesLink } from '../links.ts'
import { lines, table } from '../panels.ts'
import { grown, mean, quantile, rate, selector } from '../promql.ts'
import { LIMITS } from '../thresholds.ts'

const jobs = selector(['job'])
const AGENT = 'gen_ai_agent_name'
const TOOL = 'gen_ai_tool_name'
const ofAgent = [tracesLink('gen_ai.agent.name', AGENT)]
const ofTool = [tracesLink('gen_ai.tool.name', TOOL)]
const toolCalls = 'gen_ai_execute_tool_duration_seconds_count'

const agentPanels = [
  table({
    title: 'Turns by agent',
    description: 'Turns that ended in the time on screen.',
    unit: 'none',
    decimals: 0,
    queries: [{ expr: grown('turns_total', 'agent, outcome', jobs), legend: 'turns' }],
    width: 8,
  }),
  lines({
    title: 'Failed turns by agent',
    description: 'Share of turns that failed; cancelled ones do not count.',
    unit: 'percentunit',
    min: 0,
    max: 1,
    queries: [
      {
        expr: `${rate('turns_total', 'agent', `${jobs},outcome="failed"`)} / (${rate('turns_total', 'agent', `${jobs},outcome=~"ok|failed"`)} > 0)`,
        legend: '{{agent}}',
      },
    ],
    limits: LIMITS.turnErrors,
    width: 8,
  }),
  lines({
    title: 'Turn duration by agent, p95',
    description: 'From acceptance to end, waiting included.',
    unit: 's',
    queries: [{ expr: quantile(0.95, 'turn_duration_seconds', 'agent', jobs), legend: '{{agent}}' }],
    width: 8,
  }),
  lines({
    title: 'Runs of agents, p50 and p95',
    description: 'One run on one worker: a turn that is taken over, or waits, has several.',
    unit: 's',
    queries: [
      {
        expr: quantile(0.5, 'gen_ai_invoke_agent_duration_seconds', AGENT, jobs),
        legend: `{{${AGENT}}} p50`,
      },
      {
        expr: quantile(0.95, 'gen_ai_invoke_agent_duration_seconds', AGENT, jobs),
        legend: `{{${AGENT}}} p95`,
      },
    ],
    links: ofAgent,
    width: 8,
  }),
  lines({
    title: 'Model calls per turn',
    description: 'Mean number of logical model calls of turns that ended.',
    unit: 'suffix: calls',
    min: 0,
    queries: [{ expr: mean('gen_ai_invoke_agent_inference_calls', AGENT, jobs), legend: `{{${AGENT}}}` }],
    links: ofAgent,
    width: 8,
  }),
  lines({
    title: 'Tool calls per turn',
    description:
      'Mean number of tool calls of turns that ended. A jump is often a model that goes in circles.',
    unit: 'suffix: calls',
    min: 0,
    queries: [{ expr: mean('gen_ai_invoke_agent_tool_calls', AGENT, jobs), legend: `{{${AGENT}}}` }],
    links: ofAgent,
    width: 8,
  }),
]

const toolPanels = [
  lines(
    {
      title: 'Tool calls',
      description: 'Calls of tools that ended, a second, whatever their outcome.',
      unit: 'suffix: calls/s',
      queries: [{ expr: rate(toolCalls, TOOL, jobs), legend: `{{${TOOL}}}` }],
      links: ofTool,
      width: 8,
    },
    { stacked: true },
  ),
  lines({
    title: 'Failed tool calls',
    description:
      'Share of calls that did not end well. Their errors are given to the model, so turns may still succeed.',
    unit: 'percentunit',
    min: 0,
    max: 1,
    queries: [
      {
        expr: `${rate(toolCalls, TOOL, `${jobs},outcome!="ok"`)} / (${rate(toolCalls, TOOL, jobs)} > 0)`,
        legend: `{{${TOOL}}}`,
      },
    ],
    links: ofTool,
    width: 8,
  }),
  lines({
    title: 'Duration of tool calls, p95',
    description: 'By tool, whatever the outcome.',
    unit: 's',
    queries: [
      { expr: quantile(0.95, 'gen_ai_execute_tool_duration_seconds', TOOL, jobs), legend: `{{${TOOL}}}` },
    ],
    links: ofTool,
    width: 8,
  }),
]

const ownPanels = [
  lines({
    title: 'Our own time, p95',
    description: 'What a turn waits for us: claim, begin, commit and finish in Redis.',
    unit: 's',
    queries: [{ expr: quantile(0.95, 'runtime_overhead_seconds', 'stage', jobs), legend: '{{stage}}' }],
    width: 12,
  }),
  lines({
    title: 'Our own time, mean',
    description: 'The same, on average: the journal’s cost of a step.',
    unit: 's',
    queries: [{ expr: mean('runtime_overhead_seconds', 'stage', jobs), legend: '{{stage}}' }],
    width: 12,
  }),
]

/** What agents and their tools do, and how much of the time is ours. */
export function agents(): Dashboard {
  return dashboard({
    uid: 'turnkeeper-agents',
    title: 'agents and tools',
    description: 'What agents and their tools do, how well, and how much of the time is ours.',
    variables: ['job'],
    sections: [
      { title: 'Agents', panels: agentPanels },
      { title: 'Tools', panels: toolPanels },
      { title: 'Our own time', panels: ownPanels },
    ],
  })
}
