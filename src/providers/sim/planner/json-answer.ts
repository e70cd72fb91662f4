/** The final answer as JSON, for requests with a JSON response format. */

import type { ResponseFormat } from '../../types.ts'
import { fillSchema } from './schema.ts'
import type { Task } from './task.ts'

/** `{answer}`, or an object that satisfies the schema: numbers come from the answer, strings hold it. */
export function jsonAnswer(format: ResponseFormat, text: string, task: Task): unknown {
  if (format.type !== 'json_schema') return { answer: text }
  const found = [...text.matchAll(/(?<![\w.])-?\d+(?:\.\d+)?(?![\w.]*\w)/g)].map((match) => Number(match[0]))
  const numbers = [...found, ...task.numbers]
  const question = task.question.toLowerCase()
  return fillSchema(format.schema, {
    all: true,
    propose: (property, schema) => {
      const choices = schema.enum
      if (Array.isArray(choices))
        return choices.find((choice) => question.includes(String(choice).toLowerCase()))
      if (schema.type === 'number' || schema.type === 'integer') return numbers[0]
      if (schema.type === 'boolean') return undefined
      if (/name|title|city|country|person/i.test(property)) return task.names[0] ?? text
      if (/path|file/i.test(property)) return task.files[0] ?? task.directories[0] ?? text
      return text
    },
  })
}
