import type { ProviderModels } from '../../providers/models/catalogue.ts'
import type { ModelInfo } from '../../providers/models/model-info.ts'
import { columns } from '../turns/columns.ts'

/** One provider's models in lines for people. */
export function modelListText({ provider, fetchedAt, models }: ProviderModels): string {
  const age = fetchedAt === null ? 'never fetched' : `as of ${new Date(fetchedAt).toISOString()}`
  const rows = models.map((model) => [
    `  ${model.id}`,
    windowText(model),
    priceText(model),
    abilitiesText(model),
  ])
  return [`${provider}  ${models.length} models, ${age}`, ...columns(rows)].join('\n')
}

function windowText({ contextWindow }: ModelInfo): string {
  return contextWindow === undefined ? '' : `${Math.round(contextWindow / 1000)}K`
}

function priceText({ price }: ModelInfo): string {
  return price === undefined ? '' : `$${price.inputUsd} in, $${price.outputUsd} out`
}

function abilitiesText({ vision, tools, jsonSchema }: ModelInfo): string {
  return [vision && 'vision', tools && 'tools', jsonSchema && 'json_schema'].filter(Boolean).join(', ')
}
