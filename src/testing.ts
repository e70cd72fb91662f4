/** The test kit: what a user's own tests may import from `turnkeeper/testing`. */

export type { ControlRule } from './providers/sim/control.ts'
export type { LoggedRequest } from './providers/sim/log.ts'
export { createSim, type Sim, type SimOptions } from './providers/sim/sim.ts'
export type { LostWorker } from './testing/faults.ts'
export { createTestKit, type TestKit, type TestKitOptions } from './testing/kit.ts'
export type { Scripted, ScriptedCall } from './testing/scripted-model.ts'
