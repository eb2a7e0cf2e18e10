import assert from 'node:assert/strict'
import { test } from 'node:test'
import { AgentConnection, type Wire } from '../../../../src/workers/backends/agent/connection.ts'
import { ourWindow } from '../../../../src/workers/backends/agent/messages.ts'
import { dataBytes, type } from '../../../../src/workers/backends/agent/packet.ts'

function connection() {
  let windows = 0
  const wire: Wire = {
    extended: true,
    full: false,
    send: (kind) => {
      if (kind === type.window) windows++
    },
    whenDrained: () => undefined,
    block: () => undefined,
    forget: () => undefined,
  }
  return { stream: new AgentConnection(wire, 1, 0), windows: () => windows }
}
function fill(stream: AgentConnection, most: number): void {
  for (let bytes = 0; bytes < most; bytes += dataBytes) assert.ok(stream.receive(Buffer.alloc(dataBytes)))
}
const turn = () => new Promise((resolve) => setImmediate(resolve))

const readers: Readonly<Record<string, (stream: AgentConnection) => void>> = {
  'who takes all that is there': (stream) => void stream.on('readable', () => stream.read()),
  'who takes it in pieces': (stream) =>
    void stream.on('readable', () => {
      while (stream.read(1000) !== null);
    }),
  'to whom it flows': (stream) => void stream.on('data', () => undefined),
  'to whom it flows after a pause': (stream) => {
    stream.on('data', () => undefined).pause()
    setImmediate(() => stream.resume())
  },
}
for (const [name, read] of Object.entries(readers)) {
  test(`a reader ${name} lets the agent send more after a full window, again and again`, async () => {
    const { stream, windows } = connection()
    read(stream)
    for (let round = 1; round <= 3; round++) {
      const before = windows()
      // Later the agent may be allowed less: room is told of in large steps.
      fill(stream, round === 1 ? ourWindow : ourWindow / 2)
      for (let turns = 0; turns < 5; turns++) await turn()
      assert.ok(windows() > before, `round ${round}`)
    }
    stream.destroy()
  })
}

test('a reader who does not read is not sent more than a window', async () => {
  const { stream, windows } = connection()
  fill(stream, ourWindow)
  await turn()
  assert.equal(windows(), 0)
  assert.equal(stream.receive(Buffer.alloc(1)), false)
  stream.destroy()
})
