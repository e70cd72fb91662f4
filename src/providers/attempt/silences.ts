/** The streams that are open now and how long each has been silent: what a stall looks like before it is one. */
export type Silences = {
  /** Watches a stream until the returned function is called; it is asked at each scrape. */
  watch(route: string, stream: Silence): () => void
  /** The longest silence under way on a route, in milliseconds; 0 where nothing is open. */
  longestMs(route: string): number
}

/** `silenceMs`: how long nothing has come by now. */
export type Silence = { readonly silenceMs: number }

type Open = { readonly route: string; readonly stream: Silence; at: number }

/**
 * The open streams of one process. A list and not a `Set`: one that members join and leave all the time is rebuilt
 * again and again, and V8 keeps the old tables, with all that was in them, until the next full collection (measured: half
 * of what a call allocates grew old with it).
 */
export function createSilences(): Silences {
  const open: Open[] = []
  return {
    watch(route, stream) {
      const watched: Open = { route, stream, at: open.length }
      open.push(watched)
      return () => {
        if (watched.at < 0) return
        const last = open.pop()
        if (last !== undefined && last !== watched) {
          open[watched.at] = last
          last.at = watched.at
        }
        watched.at = -1
      }
    },
    longestMs(route) {
      let longest = 0
      for (const one of open) if (one.route === route) longest = Math.max(longest, one.stream.silenceMs)
      return longest
    },
  }
}
