import type { Target } from '../target.ts'
import { agent } from './agent.ts'
import { audit } from './audit.ts'
import { keys } from './keys.ts'
import { messages } from './messages.ts'
import { shared } from './shared.ts'
import { transport } from './transport.ts'

/** By name; `corpus/NAME` holds the inputs that every run begins with. */
export const targets: Readonly<Record<string, Target>> = {
  ...messages,
  ...keys,
  ...transport,
  ...shared,
  ...audit,
  ...agent,
}
