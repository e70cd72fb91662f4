import { openaiChat } from './openai-chat.ts'
import type { Protocol, ProtocolName } from './protocol.ts'

/** Every protocol, by the name that a configuration gives. */
export const PROTOCOLS: Readonly<Record<ProtocolName, Protocol>> = {
  'openai-chat': openaiChat,
}
