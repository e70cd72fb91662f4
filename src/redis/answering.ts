import { TurnkeeperError } from '../errors.ts'

/**
 * What Redis was asked; a rejection that is not ours (a lost connection, a command that timed out) becomes
 * `queue/redis_unavailable`.
 */
export async function answering<T>(work: Promise<T>): Promise<T> {
  try {
    return await work
  } catch (cause) {
    if (cause instanceof TurnkeeperError) throw cause
    throw new TurnkeeperError('redis_unavailable', 'Redis did not answer; what was accepted goes on', {
      cause,
    })
  }
}
