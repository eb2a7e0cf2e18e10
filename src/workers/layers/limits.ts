/** Gives sessions the limits that `auth.users` has for their user. Those that a layer inside has found are closer to him. */
import type { Connection, Layer } from '../ports.ts'
import type { Users } from './users.ts'

export const limits =
  (users: Users): Layer<Connection> =>
  (inner) => ({
    ...inner,
    async enter(member, signal) {
      const verdict = await inner.enter(member, signal)
      const own = users.limitsOf(member.username)
      if (!verdict.accepted || own === undefined) return verdict
      return { accepted: true, value: { ...verdict.value, limits: { ...own, ...verdict.value.limits } } }
    },
  })
