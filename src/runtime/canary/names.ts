/** Apart from the scenarios themselves, so that the help of the command loads none. */
export const SCENARIO_NAMES = ['text', 'tools', 'tool-image'] as const
export type ScenarioName = (typeof SCENARIO_NAMES)[number]
