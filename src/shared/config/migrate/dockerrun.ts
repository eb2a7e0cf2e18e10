/** `dockerrun`: a container for each session, without the guest agent. */
import { fault } from '../../codes/fault.ts'
import { entryOf, isTrue, mapping } from './edit.ts'
import { disabledCommand, type LegacyBackend, legacy, moved, page, times } from './legacy-backend.ts'

const connectionKeys = { host: 'host', cacert: 'cacert', cert: 'cert', key: 'key', config: '' }
const executionKeys = {
  container: 'container',
  host: 'host',
  network: 'network',
  platform: 'platform',
  containername: 'containername',
  subsystems: 'subsystems',
  disableCommand: '',
  timeout: '',
}
const timeouts = ['imagePull', 'containerStart', 'containerStop', 'commandStart', 'signal', 'window', 'http']

export const dockerrun: LegacyBackend = {
  name: 'dockerrun',
  successor: 'docker',
  isPreset: true,
  translate(section, at, migration) {
    const { problems, warnings } = migration
    const config = legacy.find(section, 'config')?.value
    const connection = moved(section, connectionKeys, 'dockerrun', (entry, path, message) =>
      problems.push({ at: entry.at, path, message: `${message}; see ${page('dockerrun')}` }),
    )
    const execution = [
      ...moved(config, executionKeys, 'dockerrun.config', (entry, path, message) =>
        warnings.push({ at: entry.at, path, message: `${message}; it is left out` }),
      ),
      entryOf('mode', 'session', at),
      entryOf('shellCommand', [], at),
      entryOf('disableAgent', true, at),
      entryOf('imagePullPolicy', 'Always', at),
      ...disabledCommand(dockerrun, section, at, migration),
    ]
    const limits = times(legacy.find(config, 'timeout'), 'dockerrun.config', timeouts)
    const parts = [
      { key: 'connection', at, value: mapping(connection, at) },
      { key: 'execution', at, value: mapping(execution, at) },
      { key: 'timeouts', at, value: mapping(limits, at) },
    ]
    return mapping(
      parts.filter(({ value }) => value.entries.length > 0),
      at,
    )
  },
  isCommandDisabled: (section) => isTrue(legacy.find(legacy.find(section, 'config')?.value, 'disableCommand')?.value),
  report(_section, { at, key }, { deprecations }) {
    const message = `is deprecated; write backend: docker and docker: {connection: …, execution: {mode: session, …}} (containerssh migrate-config prints it); see ${page('dockerrun')}`
    const record = (cause: string) => fault('DOCKERRUN_DEPRECATED', { backend: 'dockerrun' }, { cause })
    deprecations.push({ at, path: key, message, record })
  },
}
