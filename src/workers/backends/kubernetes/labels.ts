/** The labels and annotations of our pods: the database of who owns what. Those without comment are the Go program's. */
export const label = {
  connectionId: 'containerssh_connection_id',
  username: 'containerssh_username',
  /** The daemon; see identity.ts. */
  instance: 'containerssh_instance',
  /** The process that has to remove the pod. */
  owner: 'containerssh_owner',
  /** One attempt to create: finds the pod of an answer that never came. */
  creation: 'containerssh_creation',
  /** Others can tell from a lease whether the owner is alive; see lease.ts. */
  leased: 'containerssh_leased',
  /** Made ahead for whoever comes, in place of the first two: the name of its profile. */
  pool: 'containerssh_pool',
  /** Several connections live in it: what they have in common. */
  share: 'containerssh_share',
} as const
export const annotation = {
  ip: 'containerssh_ip',
  /** The user name as it is: a label cannot hold every one. */
  username: 'containerssh_username',
} as const

/** https://kubernetes.io/docs/concepts/overview/working-with-objects/labels/#syntax-and-character-set */
const mostLabelBytes = 63

/**
 * The name as a label's value: what is not allowed there becomes `-`, and both ends are letters or digits.
 * Undefined: too long, or nothing is left.
 */
export function labelValue(text: string): string | undefined {
  const value = text.replace(/[^A-Za-z0-9._-]/g, '-').replace(/^[^A-Za-z0-9]+|[^A-Za-z0-9]+$/g, '')
  return value === '' || value.length > mostLabelBytes ? undefined : value
}
