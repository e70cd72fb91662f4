/** Answers from the conversation itself: a memory that a test of sessions can see. */

import type { Conversation, Exchange } from './conversation.ts'
import { oneLine } from './findings.ts'

/** The answer to a question about the conversation; undefined if the message asks for something else. */
export function recall({ question, earlier }: Conversation): string | undefined {
  return (
    whatWasAnswered(question, earlier) ?? whatWasSaid(question, earlier) ?? whatIsKnown(question, earlier)
  )
}

/** What to say where there is nothing to do: it shows what was understood and what came before. */
export function acknowledge({ question, earlier }: Conversation, opening: string): string {
  const before = earlier.at(-1)
  const history = before === undefined ? '' : ` Before that you said: "${oneLine(before.user)}"`
  return `${opening} You said: "${oneLine(question)}"${history}`
}

function whatWasAnswered(question: string, earlier: readonly Exchange[]): string | undefined {
  if (!/\bwhat (did|was|were) (you|your)\b.*\b(say|said|answer\w*|repl\w+|tell|told)\b/i.test(question))
    return undefined
  const last = earlier.findLast(({ assistant }) => assistant !== '')
  return last === undefined ? 'I have not answered anything yet.' : `I said: "${last.assistant}"`
}

function whatWasSaid(question: string, earlier: readonly Exchange[]): string | undefined {
  const asks =
    /\b(what|which)\b.*\b(did|have|had) I\b.*\b(ask|asked|say|said|tell|told|want|write|mention)\b/i.test(
      question,
    ) ||
    /\b(my|the) (first|last|previous|earlier) (question|message|request)/i.test(question) ||
    /\b(remember|remembered)\b.*\?/i.test(question)
  if (!asks) return undefined
  if (earlier.length === 0) return 'You have not said anything before this.'
  const chosen = /\bfirst\b/i.test(question)
    ? earlier.slice(0, 1)
    : /\b(last|previous)\b/i.test(question)
      ? earlier.slice(-1)
      : earlier
  return `Before this you said: ${chosen.map(({ user }) => `"${oneLine(user)}"`).join(', then ')}`
}

/** `My name is Ada.` answers `What is my name?`, and so for any `my …`. The last word on it counts. */
function whatIsKnown(question: string, earlier: readonly Exchange[]): string | undefined {
  const subject =
    /\b(?:what(?: is|'s| are| was)?|who(?: is|'s)?|tell me|do you (?:know|remember)) my ([\w ]+?)\s*[?.!]*$/i.exec(
      question,
    )?.[1]
  const property = /\bwho am i\b/i.test(question) ? 'name' : subject?.toLowerCase()
  if (property === undefined) return undefined
  const stated = earlier
    .flatMap(({ user }) => [...user.matchAll(/\bmy ([\w ]+?) (?:is|are|was) ([^.!?,;\n]+)/gi)])
    .findLast((match) => match[1]?.toLowerCase() === property)
  const value = stated?.[2]?.trim()
  return value === undefined ? `You have not told me your ${property}.` : `Your ${property} is ${value}.`
}
