/** Options that several backends have: each names what it makes. */
import { choice, duration, integer, ours, text } from './fields.ts'

/** `Things`: containers or pods, many of them. */
export const poolFields = (things: 'Containers' | 'Pods') => ({
  min: integer(0, 0, 1000).meta(
    ours(`${things} that are kept ready for the next logins, by all workers together; 0: none. Connection mode only.`),
  ),
  max: integer(0, 0, 1000).meta(ours('So many at most, after logins that found none ready; 0: as `min`.')),
  idleLife: duration(600_000, 1).meta(
    ours(
      'So long after such a login there are `min` again, and none for a configuration of users nobody logs in with.',
    ),
  ),
  profiles: integer(8, 1, 1000).meta(
    ours(
      `Kinds of ${things.toLowerCase()} that are kept ready by a worker, one per configuration of users; the oldest goes first.`,
    ),
  ),
})

export const shareFields = (thing: 'container' | 'pod') => ({
  by: choice(['none', 'user', 'metadata', 'value'], 'none').meta(
    ours(
      `Connections that live in the same ${thing}: those of one user, those whose metadata \`key\` is the same, or those with the same \`value\`, which a configuration server sets.`,
    ),
  ),
  key: text().meta(ours(`Name of the metadata; who has none of that name has a ${thing} of his own.`)),
  value: text().meta(ours('What those who share have in common.')),
  linger: duration(0).meta(ours(`So long the ${thing} waits for somebody after the last one has left.`)),
  maxConnections: integer(0, 0).meta(ours(`Connections in one ${thing} at a time; 0: any number.`)),
})
