import { inspect } from 'node:util'

const MASK = '[secret]'

/** A value that is never printed by accident: text, JSON and `console.log` show a mask, only `reveal` the value. */
export class Secret {
  readonly #value: string

  constructor(value: string) {
    this.#value = value
  }

  /** The value itself, for the one place that sends it. */
  reveal(): string {
    return this.#value
  }

  toString(): string {
    return MASK
  }

  toJSON(): string {
    return MASK
  }

  [inspect.custom](): string {
    return MASK
  }
}
