/** A program whose client has gone. */
import { aborted } from '../../../shared/deadline.ts'
import type { Conduit } from './conduit.ts'
import type { Announcement } from './header.ts'

/**
 * Ends its streams. Nobody listens any more, but the number to end the program by may still be on its way: that is waited
 * for, until `over` at most. Never rejects.
 */
export async function letGo(
  pump: Pick<Conduit, 'header'> & { close(): void },
  announcement: Announcement,
  over: AbortSignal,
): Promise<void> {
  if (announcement !== 'none') await Promise.race([pump.header, aborted(over)])
  pump.close()
}
