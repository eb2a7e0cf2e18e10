import { randomUUID } from 'node:crypto'

/** A random UUID (version 4) as 32 lower-case hex digits: the form of connection ids in logs, labels and webhooks. */
export function newId(): string {
  return randomUUID().replaceAll('-', '')
}
