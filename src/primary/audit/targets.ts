/** The storages that the configuration names. */
import type { Config } from '../../shared/config/index.ts'
import type { Log } from '../../shared/log.ts'
import { fileTarget } from './file-target.ts'
import type { Target } from './target.ts'

type Storage = Target['name']

/** None: nothing is kept. */
export function targetsOf(audit: Config['audit'], log: Log): Promise<Target[]> {
  if (audit.format === 'none') return Promise.resolve([])
  const names = new Set([audit.storage, ...audit.moreStorages].filter((name): name is Storage => name !== 'none'))
  return Promise.all([...names].map((name) => (name === 'file' ? fileTarget(audit.file.directory) : s3(audit, log))))
}

/** Loaded only where it is used. */
async function s3({ s3: settings, format }: Config['audit'], log: Log): Promise<Target> {
  const [{ createS3Target }, { createS3Threads }, { settingsOf }] = await Promise.all([
    import('./s3/index.ts'),
    import('./s3/threads.ts'),
    import('./s3/settings.ts'),
  ])
  const failed = (cause: Error): void => log.emit('AUDIT_THREAD_FAILED', {}, { cause })
  const threads = createS3Threads(settingsOf(settings), failed)
  const target = createS3Target({ settings, format, log, ask: threads.ask })
  return {
    ...target,
    async stop(deadline) {
      await target.stop(deadline)
      await threads.close()
    },
  }
}
