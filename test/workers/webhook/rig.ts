/** A client of a test's own, with its log. */

import type { HttpClientSettings } from '../../../src/shared/config/auth-checks.ts'
import { defaults } from '../../../src/shared/config/schema.ts'
import { formatLine } from '../../../src/shared/log/format.ts'
import { createLog, type LogRecord } from '../../../src/shared/log.ts'
import { createHttpClient, type HttpClient, type Reply } from '../../../src/workers/webhook/client.ts'
import { record as keepForCodes } from '../../rigs/daemon.ts'

export function testLog() {
  const records: LogRecord[] = []
  const write = (record: LogRecord): void => {
    records.push(record)
    keepForCodes(formatLine(record, 'ljson').trimEnd())
  }
  const log = createLog({ level: 'debug', labels: { module: 'auth' }, write })
  return { records, log, codes: () => records.map((record) => record.code), text: () => JSON.stringify(records) }
}

export const settingsOf = (url: string, more: Partial<HttpClientSettings> = {}): HttpClientSettings => ({
  ...defaults().health.client,
  url,
  ...more,
})

export interface TestClient extends AsyncDisposable {
  readonly client: HttpClient
  readonly records: readonly LogRecord[]
  codes(): string[]
  /** All records as one text. */
  text(): string
  post(path?: string, signal?: AbortSignal, limitMs?: number): Promise<Reply<unknown>>
}

/** As a caller would, it writes the record of what failed. */
export function openClient(url: string, more: Partial<HttpClientSettings> = {}): TestClient {
  const { log, ...rest } = testLog()
  const client = createHttpClient(settingsOf(url, more))
  return {
    ...rest,
    client,
    async post(path = '/password', signal = new AbortController().signal, limitMs = 60_000) {
      const body = { username: 'alice', passwordBase64: 'c2VjcmV0' }
      const reply = await client.post({ path, body, decode: (value) => value, log, signal, limitMs })
      if (reply.kind === 'failure') log.fault(reply.fault)
      return reply
    },
    [Symbol.asyncDispose]: () => client[Symbol.asyncDispose](),
  }
}
