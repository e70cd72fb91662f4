import type { Context } from '@opentelemetry/api'

/**
 * A context as a chain of values. OpenTelemetry's own copies all of its values into a new `Map` for each that is set.
 */
export class ChainedContext implements Context {
  readonly #above: Context
  readonly #key: symbol
  readonly #value: unknown

  constructor(above: Context, key: symbol, value?: unknown) {
    this.#above = above
    this.#key = key
    this.#value = value
  }

  getValue(key: symbol): unknown {
    return key === this.#key ? this.#value : this.#above.getValue(key)
  }

  setValue(key: symbol, value: unknown): Context {
    return new ChainedContext(this, key, value)
  }

  deleteValue(key: symbol): Context {
    return new ChainedContext(this, key)
  }
}
