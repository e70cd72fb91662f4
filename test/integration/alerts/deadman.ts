import type { Receiver } from '../../../scripts/stack/receiver.ts'

/** A dead-man switch, as a service outside has it: calls for help when the Watchdog has not been heard for `patienceMs`. */
export function watchDeadman({ received }: Receiver, patienceMs: number) {
  const openedMs = Date.now()
  const heardMs = (): number[] =>
    received.flatMap((it) =>
      it.to === 'webhook' && it.body.alerts.some(({ labels }) => labels.alertname === 'Watchdog')
        ? [it.atMs]
        : [],
    )
  return {
    heard: (): number => heardMs().length,
    calls: (): boolean => Date.now() - Math.max(openedMs, ...heardMs()) > patienceMs,
  }
}
