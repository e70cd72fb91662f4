/** Panels that may show nothing after the exercise, and why. At most five; one that shows something is welcome. */
export const MAY_BE_EMPTY: Readonly<Record<string, string>> = {
  Mitigations: 'no alias of the stack has a fallback',
  'Mitigation runs': 'no alias of the stack has a fallback',
}
