/** A model whose calls can meet every kind of rate: cached, written, thought, and those of longer prompts. */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { readModelsFile, type ModelCatalog } from '../../llm/routing/models-file.js';

export const TIERED_MODEL = 'gpt-bench-tiered';

/** Our prompts have 50 to 300 tokens by the stand-in's count: some are over. */
const PROMPT_TOKENS_OVER = 100;

const FILE = {
  models: [
    {
      id: TIERED_MODEL,
      vendor: 'openai',
      prices: [
        {
          from: '2024-01-01',
          inputUsdPerMillion: '0.15',
          outputUsdPerMillion: '0.60',
          cacheReadUsdPerMillion: '0.075',
          cacheWriteUsdPerMillion: '0.1875',
          reasoningUsdPerMillion: '0.65',
          tiers: [
            {
              promptTokensOver: PROMPT_TOKENS_OVER,
              inputUsdPerMillion: '0.30',
              outputUsdPerMillion: '0.90',
              cacheReadUsdPerMillion: '0.15',
              cacheWriteUsdPerMillion: '0.375',
              reasoningUsdPerMillion: '0.95',
            },
          ],
          source: 'https://example.com/prices',
          asOf: '2026-12-01',
        },
      ],
    },
  ],
};

export interface TieredModels {
  readonly file: string;
  readonly catalog: ModelCatalog;
  remove(): Promise<void>;
}

export async function writeTieredModels(): Promise<TieredModels> {
  const folder = await mkdtemp(join(tmpdir(), 'agentforge-bench-models-'));
  const file = join(folder, 'models.json');
  await writeFile(file, JSON.stringify(FILE));
  return {
    file,
    catalog: readModelsFile(file),
    remove: () => rm(folder, { recursive: true }),
  };
}
