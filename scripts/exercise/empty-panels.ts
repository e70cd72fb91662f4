/** Panels that may show nothing after the exercise, and why. At most five; one that shows something is welcome. */
export const MAY_BE_EMPTY: Readonly<Record<string, string>> = {
  'Mitigation runs': 'a short exercise may end before an alias has failed twenty times',
}
