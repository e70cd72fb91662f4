import { createParser, type EventSourceMessage } from 'eventsource-parser'

export type EventReader = {
  readonly response: Response
  /** The next events, `count` of them or, without, all up to the end. */
  take(count?: number): Promise<EventSourceMessage[]>
  /** What was sent as comments so far. */
  readonly comments: readonly string[]
  /** Goes away, as a browser tab that is closed. */
  leave(): void
}

/** Opens an event stream as a client would. */
export async function openEvents(
  url: string,
  headers: Readonly<Record<string, string>> = {},
): Promise<EventReader> {
  const gone = new AbortController()
  const response = await fetch(url, { headers, signal: gone.signal })
  const waiting: EventSourceMessage[] = []
  const comments: string[] = []
  const parser = createParser({
    onEvent: (event) => void waiting.push(event),
    onComment: (comment) => void comments.push(comment),
  })
  const chunks = response.body?.pipeThrough(new TextDecoderStream()).getReader()
  return {
    response,
    comments,
    async take(count = Number.POSITIVE_INFINITY) {
      while (waiting.length < count) {
        const chunk = await chunks?.read()
        if (!chunk || chunk.done) break
        parser.feed(chunk.value)
      }
      return waiting.splice(0, count)
    },
    leave: () => gone.abort(),
  }
}
