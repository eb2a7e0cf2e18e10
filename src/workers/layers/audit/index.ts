/**
 * The outermost layer, when audit is on: writes down what the client asks for, before the layers inside decide about it,
 * and what became of it.
 */
import type { Login } from '../../audit/login.ts'
import type { Recorder } from '../../audit/recorder.ts'
import type { Trails } from '../../audit/trail.ts'
import type { Connection, Layer, Session } from '../../ports.ts'
import { recordAttempts } from './attempts.ts'
import { recordChannel } from './channel.ts'

export const audit =
  (recorder: Recorder, trails: Trails, login: Login): Layer<Connection> =>
  (inner) => ({
    ...inner,
    authenticate: recordAttempts(recorder, login, inner),
    async enter(member, signal) {
      recorder.add('handshake_successful', null, { username: member.username }, login.facts(member))
      recorder.flush()
      // No session without a log.
      const why = await recorder.begun(signal)
      if (why !== undefined) return { accepted: false, fault: why }
      const verdict = await inner.enter(member, signal)
      if (!verdict.accepted) return verdict
      return { accepted: true, value: recordSession(recorder, trails, verdict.value) }
    },
  })

const recordSession = (recorder: Recorder, trails: Trails, inner: Session): Session => ({
  ...inner,
  async open(id, arrive) {
    const verdict = await inner.open(id, arrive)
    if (!verdict.accepted) return verdict
    return { accepted: true, value: recordChannel(recorder, trails.of(id), verdict.value) }
  },
})
