/** What is used of opossum, which brings no types along. */
declare module 'opossum' {
  export default class CircuitBreaker {
    constructor(action: () => Promise<unknown>, options?: { readonly timeout?: number | false })
    fire(): Promise<unknown>
  }
}
