/** `npm run docs`: writes the documents that are generated from tables. A test fails when one of them is stale. */
import { mkdirSync, writeFileSync } from 'node:fs'
import { resolve } from 'node:path'
import { renderMessagesPage } from '../src/shared/audit/messages-page.ts'
import { renderPage } from '../src/shared/codes/page.ts'
import { renderSchema } from '../src/shared/config/document/json-schema.ts'
import { renderConfigPage } from '../src/shared/config/document/page.ts'
import { renderMetricsPage } from '../src/shared/metric/page.ts'
import { renderOpenApi } from '../src/shared/webhook/openapi.ts'

const docs = resolve(import.meta.dirname, '../docs')
mkdirSync(docs, { recursive: true })
writeFileSync(resolve(docs, 'codes.md'), renderPage())
writeFileSync(resolve(docs, 'webhooks.openapi.yaml'), renderOpenApi())
writeFileSync(resolve(docs, 'config.md'), renderConfigPage())
writeFileSync(resolve(docs, 'config.schema.json'), renderSchema())
writeFileSync(resolve(docs, 'audit-messages.md'), renderMessagesPage())
writeFileSync(resolve(docs, 'metrics.md'), renderMetricsPage())
