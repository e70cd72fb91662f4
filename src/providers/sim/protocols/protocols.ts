import { anthropicEncoder } from '../../encoders/anthropic.ts'
import { ollamaChatEncoder, ollamaGenerateEncoder } from '../../encoders/ollama.ts'
import { openaiChatEncoder } from '../../encoders/openai-chat.ts'
import { openaiResponsesEncoder } from '../../encoders/openai-responses.ts'
import type { SimProtocol } from '../types.ts'
import { decodeMessagesRequest } from './anthropic-request.ts'
import { decodeOllamaChat, decodeOllamaGenerate } from './ollama-request.ts'
import { decodeChatRequest } from './openai-chat-request.ts'
import { decodeResponsesRequest } from './openai-responses-request.ts'

/** The endpoint that speaks for the simulated upstream itself, where no other is meant. */
export const openaiChat: SimProtocol = {
  name: 'openai-chat',
  path: '/v1/chat/completions',
  encoder: openaiChatEncoder,
  requestIdHeader: 'x-request-id',
  decode: decodeChatRequest,
}

/** Every endpoint of every protocol. */
export const PROTOCOLS: readonly SimProtocol[] = [
  openaiChat,
  {
    name: 'openai-responses',
    path: '/v1/responses',
    encoder: openaiResponsesEncoder,
    requestIdHeader: 'x-request-id',
    decode: decodeResponsesRequest,
  },
  {
    name: 'anthropic',
    path: '/v1/messages',
    encoder: anthropicEncoder,
    requestIdHeader: 'request-id',
    decode: decodeMessagesRequest,
  },
  {
    name: 'ollama',
    path: '/api/chat',
    encoder: ollamaChatEncoder,
    requestIdHeader: 'x-request-id',
    decode: decodeOllamaChat,
  },
  {
    name: 'ollama',
    path: '/api/generate',
    encoder: ollamaGenerateEncoder,
    requestIdHeader: 'x-request-id',
    decode: decodeOllamaGenerate,
  },
]
