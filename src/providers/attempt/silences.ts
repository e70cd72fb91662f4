/** The streams that are open now and how long each has been silent: what a stall looks like before it is one. */
export type Silences = {
  /** Watches a stream until the returned function is called; `silentMs` is asked at each scrape. */
  watch(route: string, silentMs: () => number): () => void
  /** The longest silence under way on a route, in milliseconds; 0 where nothing is open. */
  longestMs(route: string): number
}

type Open = { readonly route: string; readonly silentMs: () => number }

/** The open streams of one process. */
export function createSilences(): Silences {
  const open = new Set<Open>()
  return {
    watch(route, silentMs) {
      const stream = { route, silentMs }
      open.add(stream)
      return () => void open.delete(stream)
    },
    longestMs(route) {
      let longest = 0
      for (const stream of open) if (stream.route === route) longest = Math.max(longest, stream.silentMs())
      return longest
    },
  }
}
