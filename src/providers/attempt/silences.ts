/** The streams that are open now and how long each has been silent: what a stall looks like before it is one. */
export type Silences = {
  /** Watches a stream until the returned function is called; `silentMs` is asked at each scrape. */
  watch(route: string, silentMs: () => number): () => void
  /** The longest silence under way on a route, in milliseconds; 0 where nothing is open. */
  longestMs(route: string): number
}

type Open = { readonly route: string; readonly silentMs: () => number; at: number }

/**
 * The open streams of one process. A list and not a `Set`: one that members join and leave all the time is rebuilt
 * again and again, and V8 keeps the old tables, with all that was in them, until the next full collection (measured: half
 * of what a call allocates grew old with it).
 */
export function createSilences(): Silences {
  const open: Open[] = []
  return {
    watch(route, silentMs) {
      const stream: Open = { route, silentMs, at: open.length }
      open.push(stream)
      let isWatched = true
      return () => {
        if (!isWatched) return
        isWatched = false
        const last = open.pop()
        if (last === undefined || last === stream) return
        open[stream.at] = last
        last.at = stream.at
      }
    },
    longestMs(route) {
      let longest = 0
      for (const stream of open) if (stream.route === route) longest = Math.max(longest, stream.silentMs())
      return longest
    },
  }
}
