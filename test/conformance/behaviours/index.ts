/** What every room does. */
import type { Behaviour } from './behaviour.ts'
import { channels } from './channels.ts'
import { forwarding } from './forwarding.ts'
import { programs } from './programs.ts'
import { signals } from './signals.ts'
import { streams } from './streams.ts'
import { terminals } from './terminals.ts'

export const behaviours: readonly Behaviour[] = [
  ...channels,
  ...streams,
  ...signals,
  ...terminals,
  ...forwarding,
  ...programs,
]
