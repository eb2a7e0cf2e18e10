/**
 * The other end of the question about messages between processes: `node ipc-sender.ts link|channel COUNT`. Over fd 4 as a
 * worker has it, or over Node's own channel.
 */
import { Socket } from 'node:net'
import { type Order, orders, type Report, reports } from '../src/shared/ipc/contract.ts'
import { createLink } from '../src/shared/ipc/link.ts'

const LINK_FD = 4
const [way, count = '0'] = process.argv.slice(2)
const messageOf = (ticket: number): Report => ({ kind: 'closed', ticket, outcome: 'session' })

async function overLink(total: number): Promise<void> {
  const stream = new Socket({ fd: LINK_FD })
  const fail = (): never => {
    throw new Error('the link has ended, or something came')
  }
  const link = createLink<Report, Order>({ stream, outgoing: reports, incoming: orders, receive: fail, closed: fail })
  link.phase = 'serving'
  for (let ticket = 0; ticket < total; ticket++) if (!link.send(messageOf(ticket))) await link.drained()
}

async function overChannel(total: number): Promise<void> {
  for (let ticket = 0; ticket < total; ticket++) {
    const taken = Promise.withResolvers<void>()
    const hasRoom = process.send?.(messageOf(ticket), undefined, {}, () => taken.resolve())
    if (hasRoom === false) await taken.promise
  }
}

await (way === 'link' ? overLink : overChannel)(Number(count))
