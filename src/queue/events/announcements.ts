/**
 * What a turn's channel says at each write: `<entry before> <entry> <events as JSON>`, so that who has read the entry before
 * need read nothing; an empty message where the events are long (`emit` in `lua/common.lua`).
 */

import type { Listener } from './subscriptions.ts'
import { createWakener } from './wakener.ts'

export type Announcement = {
  /** The stream's entry before this one; empty for the first. */
  readonly after: string
  readonly entry: string
  readonly events: string
}

/** What a message says; undefined where it only says that there is something to read. */
export function parseAnnouncement(message: string): Announcement | undefined {
  const first = message.indexOf(' ')
  const second = message.indexOf(' ', first + 1)
  if (first < 0 || second < 0) return undefined
  return {
    after: message.slice(0, first),
    entry: message.slice(first + 1, second),
    events: message.slice(second + 1),
  }
}

/** Whether what a message says may be the end of the turn, or what ends the waiting for its result. */
export function mayEnd(message = ''): boolean {
  return message === '' || /"type":"turn\.(completed|failed|cancelled|needs_review)"/.test(message)
}

/** The announcements of one turn that its reader has not come to. */
export type Inbox = {
  readonly hear: Listener
  /** Those in their order, at most a page of them; undefined once where some may have been missed. */
  take(): readonly string[] | undefined
  /** Resolves when there is something to take, after `timeoutMs`, or on abort. */
  wait(timeoutMs: number, signal?: AbortSignal): Promise<void>
}

/** An inbox that counts as incomplete when it holds more than `most`, and whenever messages may have been lost. */
export function createInbox(most: number): Inbox {
  const wakener = createWakener()
  let messages: string[] = []
  let isComplete = true
  return {
    hear(message) {
      if (message === undefined || messages.length === most) {
        isComplete = false
        messages = []
      } else if (isComplete) messages.push(message)
      wakener.wake()
    },
    take() {
      const taken = isComplete ? messages : undefined
      messages = []
      isComplete = true
      return taken
    },
    wait: wakener.wait,
  }
}
