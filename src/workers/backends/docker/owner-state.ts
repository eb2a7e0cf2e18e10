/** Whether the process that a label names is gone, as far as that can be known from here. */
import { ownerState } from '../../../shared/identity.ts'
import type { Lease } from './lease.ts'

/** `isLeased`: it renewed a lease when it left the label. */
export function isDead(lease: Lease | undefined, owner: string, isLeased: boolean): boolean {
  const state = ownerState(owner)
  return state === 'dead' || (state === 'foreign' && isLeased && lease?.isGone(owner) === true)
}
