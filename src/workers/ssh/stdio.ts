/** The three streams that a program gets. Plain records, so that a layer can spread them and put its own in between. */
import type { Sink, Stdio } from '../ports.ts'
import type { Input } from './input.ts'
import type { Output, OutputStream } from './output.ts'

export const sinkOf = (stream: OutputStream): Sink => ({
  write: (bytes) => stream.write(bytes),
  onDrain: (listener) => stream.onDrain(listener),
  end: () => stream.end(),
})

export const stdioOf = (input: Input, output: Output): Stdio => ({
  stdin: { into: (sink) => input.into(sink) },
  stdout: sinkOf(output.stdout),
  stderr: sinkOf(output.stderr),
})
