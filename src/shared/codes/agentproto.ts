import { defineCodes } from './define.ts'

/** The protocol between us and the guest agent that forwards connections. The container is not trusted. */
export const agentproto = defineCodes('Guest agent protocol', ['AGENTPROTO'], {
  AGENTPROTO_UNKNOWN_CONNECTION: {
    level: 'info',
    says: 'The guest agent speaks of a connection that there is not.',
    doc: 'A packet of the guest agent names a connection that was never opened. It is ignored.',
    labels: { connectionIdAgent: 'number', packet: 'number' },
    seed: false,
  },
  AGENTPROTO_INVALID_STATE: {
    level: 'info',
    says: 'The guest agent said something out of turn.',
    doc: 'A packet of the guest agent does not fit the state of the connection that it is about, such as data before the connection was accepted. It is ignored.',
    labels: { connectionIdAgent: 'number', packet: 'number' },
    seed: false,
  },
  AGENTPROTO_WRITE_FAILED: {
    level: 'warning',
    says: 'The guest agent does not take what it is sent.',
    doc: 'The stream to the guest agent broke or is not read, so that the connections it forwards are ended. The container may have been removed, or its memory was exhausted.',
    labels: { reason: 'string' },
    seed: false,
  },
  AGENTPROTO_PACKET_UNKNOWN: {
    level: 'warning',
    says: 'The guest agent sent a packet of an unknown type.',
    doc: 'A packet of the guest agent has a type that we do not know. It is ignored; the agent in the image may be newer than this server.',
    labels: { packet: 'number' },
    seed: false,
  },
  AGENTPROTO_PACKET_INVALID: {
    level: 'warning',
    says: 'The guest agent did not begin as it should.',
    doc: 'The first packet of the guest agent is neither success nor error. The forwarding that it was started for is refused.',
    labels: { packet: 'number' },
    seed: false,
  },
  AGENTPROTO_DECODE_FAILED: {
    level: 'warning',
    says: 'What the guest agent sent cannot be understood.',
    doc: 'The guest agent sent something that is no packet, or more data than it was allowed to. Its connections are ended. Most likely the program in the image is no guest agent, or somebody in the container is up to something.',
    labels: { reason: 'string' },
    seed: false,
  },
  AGENTPROTO_REMOTE_ERROR: {
    level: 'info',
    says: 'The guest agent reports a failure: {reason}.',
    doc: 'The guest agent could not connect or listen. The reason is text from within the container; old agents give none.',
    labels: { connectionIdAgent: 'number', reason: 'string' },
    seed: false,
  },
})
