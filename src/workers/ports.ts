/**
 * The seams of a worker. Read this file first.
 *
 * A TCP connection meets three ports in turn: `Connection` (not yet authenticated), `Session` (one authenticated user),
 * `Channel` (one session channel, RFC 4254 section 6). A layer wraps a port; the innermost ports talk to a room
 * (`Backend`, `Sandbox`, `Running`): somewhere a session can live.
 *
 * Ports are plain records, never class instances: a layer is `{ ...inner, request }`, and spreading an instance would
 * silently drop its methods.
 */
import type { Duplex } from 'node:stream'
import type { Fault } from '../shared/codes/fault.ts'
import type { UserSettings } from '../shared/config/user/settings.ts'
import type { Place } from '../shared/key-options.ts'
import type { Log } from '../shared/log.ts'
import type { FileDatum, Inquiry, Metadatum } from '../shared/webhook/data.ts'
import type { Arrive, Door, Listening, Origin, Target, X11 } from './place.ts'
import type { Certificate } from './ssh/certificate.ts'
import type { Attestation } from './ssh/signature.ts'

export type { Arrive, Door, Listening, Origin, Target, X11 }

/** 32 lower-case hex digits; the same in logs, labels, webhooks and audit. */
export type ConnectionId = string & { readonly __brand: 'ConnectionId' }
/** Our number of a channel; unique within its connection. */
export type ChannelId = number & { readonly __brand: 'ChannelId' }

/** Who is at the other end of the TCP connection, as known before authentication. */
export interface Peer {
  readonly connectionId: ConnectionId
  /** IP address without port; IPv4-mapped IPv6 addresses are written as IPv4. */
  readonly remoteAddress: string
  readonly remotePort: number
  /** ISO 3166-1 alpha-2, `XX` for unknown. */
  readonly country: string
  /** The client's identification string (RFC 4253 section 4.2) without CR LF; empty until it has been received. */
  readonly clientVersion: string
  /** Carries module, connectionId and remoteAddr. */
  readonly log: Log
}

/** An authenticated user. `username` is the SSH login name, `authenticatedUsername` what the authenticator made of it. */
export interface Member {
  readonly username: string
  readonly authenticatedUsername: string
  readonly metadata: ReadonlyMap<string, Metadatum>
  readonly environment: ReadonlyMap<string, Metadatum>
  /** Absolute path in the container to content. */
  readonly files: ReadonlyMap<string, FileDatum>
  /** What the proof of identity itself forbids or forces: a certificate, or the options of an authorized key. */
  readonly restrictions?: Restrictions
  /** This user's own configuration; absent: the file's, as for everybody. */
  readonly settings?: UserSettings
}
/** Narrower than the configuration allows, never wider (OpenSSH: PROTOCOL.certkeys, sshd(8) AUTHORIZED_KEYS). */
export interface Restrictions {
  /** Runs in place of every shell, command and subsystem. */
  readonly forceCommand?: string
  readonly pty: boolean
  /** direct-tcpip, tcpip-forward and both streamlocal forms. */
  readonly portForwarding: boolean
  readonly agentForwarding: boolean
  readonly x11Forwarding: boolean
  /** Nothing else may be dialled, or listened on. */
  readonly permitOpen?: readonly Place[]
  readonly permitListen?: readonly Place[]
}
/** A refusal is a value: the fault carries the code for the log and the text the user may see. */
export interface Refused {
  readonly accepted: false
  readonly fault: Fault
  /** The connection ends, too: its client goes on asking for what it cannot have. */
  readonly final?: true
}
export interface Accepted<T> {
  readonly accepted: true
  readonly value: T
}
export type Verdict<T = void> = Accepted<T> | Refused

/**
 * One authentication attempt (RFC 4252). For `publickey` with `signed: false` the client only asks whether the key would
 * do; with `signed: true` the transport side has already verified the signature over the session id.
 */
export type Attempt =
  | { readonly method: 'none' }
  /** Raw bytes: a password need not be UTF-8. */
  | { readonly method: 'password'; readonly password: Uint8Array }
  | {
      readonly method: 'publickey'
      readonly algorithm: string
      /** Public key blob, RFC 4253 section 6.6, or a certificate (PROTOCOL.certkeys). */
      readonly blob: Uint8Array
      readonly signed: boolean
      /** The blob, parsed; what it says is not checked, not even that its CA signed it. */
      readonly certificate?: Certificate
      /** Of a signature by a security key. */
      readonly attested?: Attestation
    }
  | {
      readonly method: 'keyboard-interactive'
      /** Hints of the client (RFC 4256 section 3.1); may be empty. */
      readonly submethods: string
      readonly ask: Ask
    }
/**
 * Shows the user something and waits for the answers, one per prompt; they are wiped when the attempt has been decided.
 * Undefined: the client is gone, began another attempt instead, or sent something else than one text per prompt.
 */
export type Ask = (inquiry: Inquiry) => Promise<readonly Uint8Array[] | undefined>

/**
 * `partial`: right, but more is needed (RFC 4252 section 5.1). `unavailable`: the method is not offered, or its backend
 * did not answer; the client may try something else.
 */
export type AuthVerdict =
  | { readonly outcome: 'success'; readonly member: Member }
  | { readonly outcome: 'partial'; readonly methods: readonly string[] }
  | {
      readonly outcome: 'failure' | 'unavailable'
      readonly fault: Fault
      /** Methods that can continue, where these are others than the connection's. */
      readonly methods?: readonly string[]
    }

/** One TCP connection, as every layer sees it. */
export interface Connection extends AsyncDisposable {
  /** Methods that can continue, in the order of RFC 4252 section 5.1; never contains `none`. */
  readonly methods: readonly string[]
  authenticate(user: string, attempt: Attempt, signal: AbortSignal): Promise<AuthVerdict>
  /** Called once, after USERAUTH_SUCCESS: makes what the user's session needs. May take long. A refusal ends the connection. */
  enter(member: Member, signal: AbortSignal): Promise<Verdict<Session>>
}

/** How long a session may last; milliseconds, 0: for ever. What is absent is as in the section `limits`. */
export interface SessionLimits {
  /** Without channel data in either direction. */
  readonly idleTimeout?: number | undefined
  readonly sessionTimeout?: number | undefined
  readonly warningBefore?: number | undefined
  readonly warningText?: string | undefined
  /** What programs get when the time is up, without SIG. */
  readonly signal?: string | undefined
  /** From the signal until the connection is cut. */
  readonly grace?: number | undefined
}

/** One authenticated user: opens channels until it is disposed. Disposal removes everything the session owns. */
export interface Session extends AsyncDisposable {
  /** This user's own; the connection sees to it. */
  readonly limits?: SessionLimits | undefined
  /** For operators: the container or pod that all of its programs run in, once there is one. */
  room?(): string | undefined
  /** `arrive`: connections to the X11 display or the agent that the channel's program was given. */
  open(id: ChannelId, arrive: Arrive): Promise<Verdict<Channel>>
  /** direct-tcpip and direct-streamlocal@openssh.com. */
  dial(target: Target, origin: Origin, signal: AbortSignal): Promise<Verdict<Duplex>>
  /** tcpip-forward and streamlocal-forward@openssh.com. Until it is disposed; the session's end disposes it too. */
  listen(door: Door, arrive: Arrive, signal: AbortSignal): Promise<Verdict<Listening>>
}

/** One session channel: requests as data, then at most one program. Disposal (client closed the channel) ends the program. */
export interface Channel extends AsyncDisposable {
  /** Called strictly one after the other, in the order of arrival. `stdio` is the same object at each call. */
  request(request: ChannelRequest, stdio: Stdio): Promise<Verdict>
  /** Settles once, after the program ended and both of its output sinks were ended. Never settles without a program. */
  readonly exit: Promise<Exit>
  /** For operators: a container or pod of its own, while there is one. */
  room?(): string | undefined
}

/** RFC 4254 sections 6.2 to 6.10. Strings that need not be UTF-8 stay bytes. */
export type ChannelRequest =
  | { readonly kind: 'env'; readonly name: string; readonly value: string }
  | { readonly kind: 'pty-req'; readonly pty: Pty }
  | { readonly kind: 'shell' }
  | { readonly kind: 'exec'; readonly command: string }
  | { readonly kind: 'subsystem'; readonly name: string }
  | { readonly kind: 'window-change'; readonly size: WindowSize }
  /** Name without SIG. `ours`: the server asks the program to end, whatever the client may do. */
  | { readonly kind: 'signal'; readonly name: string; readonly ours?: true }
  /** RFC 4254 section 6.3.1. */
  | { readonly kind: 'x11-req'; readonly x11: X11 }
  | { readonly kind: 'auth-agent-req@openssh.com' }
  | { readonly kind: 'unknown'; readonly type: string; readonly payload: Uint8Array }

export interface WindowSize {
  readonly columns: number
  readonly rows: number
  readonly widthPixels: number
  readonly heightPixels: number
}
export interface Pty {
  readonly term: string
  readonly size: WindowSize
  /** Encoded terminal modes (RFC 4254 section 8), exactly as received. */
  readonly modes: Uint8Array
}

/** How a program ended. */
export type Exit =
  | { readonly kind: 'status'; readonly code: number }
  /** Name without SIG. */
  | { readonly kind: 'signal'; readonly name: string; readonly coreDumped: boolean; readonly message: string }

/**
 * Takes bytes, with back-pressure. The bytes are lent for the call: a sink that keeps them copies them, because the
 * caller's buffer is used again for the next read.
 */
export interface Sink {
  /** The bytes are taken in any case; false asks the caller to stop until the drain listener is called. */
  write(bytes: Uint8Array): boolean
  /** One listener, set by whoever writes; called after each write() that returned false, when there is room again. */
  onDrain(listener: () => void): void
  /** End of the stream. Idempotent; write() after it is ignored. */
  end(): void
}

/** Gives bytes: everything received so far, then live, then `end()`. At most one sink, for ever. */
export interface Source {
  into(sink: Sink): void
}

/** The three streams between a channel and its program. Layers may swap them; bytes do not pass through layers. */
export interface Stdio {
  readonly stdin: Source
  readonly stdout: Sink
  readonly stderr: Sink
}

/** A room: somewhere a session can live. */
export interface Backend extends AsyncDisposable {
  readonly name: string
  /** The room's own codes for what the session core refuses on its behalf. */
  readonly faults: RoomFaults
  open(who: Occupant, signal: AbortSignal, say?: Say): Promise<Sandbox>
}
/** For the user who waits for his room: one line, without its end. Not called once the room is there. */
export type Say = (line: string) => void
/** `request` is the SSH name of the channel request. */
export interface RoomFaults {
  alreadyRunning(request: string): Fault
  notRunning(request: string): Fault
  notSupported(request: string): Fault
}
/** For whom a room is opened. */
export interface Occupant {
  readonly peer: Peer
  readonly member: Member
}
/** Thrown failures are `Fault`s with a code. */
export interface Sandbox extends AsyncDisposable {
  /** For operators: id of the container or name of the pod, where one is for all programs. */
  readonly room?: string
  /** Resolves when the program runs. From then on the room moves bytes between it and `stdio`. */
  run(program: Program, stdio: Stdio, signal: AbortSignal): Promise<Running>
  dial(target: Target, origin: Origin, signal: AbortSignal): Promise<Duplex>
  listen(door: Door, arrive: Arrive, signal: AbortSignal): Promise<Listening>
}
/** What a channel asked to run, with everything it collected before. */
export interface Program {
  readonly what:
    | { readonly kind: 'shell' }
    | { readonly kind: 'exec'; readonly command: string }
    | { readonly kind: 'subsystem'; readonly name: string }
  /** In the order of the client's env requests; TERM is not in here. */
  readonly env: ReadonlyMap<string, string>
  /** What the room opened for this program alone: its display, the client's agent. Their variables are in `env` already. */
  readonly doors?: readonly Listening[]
  readonly pty: Pty | undefined
  /** Carries channelId besides the peer's labels. */
  readonly log: Log
}
/** A running program. Disposal ends it, whatever it is doing. */
export interface Running extends AsyncDisposable {
  /** Settles after both output sinks were ended. */
  readonly exit: Promise<Exit>
  /** For operators: id of the container or name of the pod, where the program has its own. */
  readonly room?: string
  resize(size: WindowSize, signal: AbortSignal): Promise<void>
  /** Name without SIG. */
  signal(name: string, signal: AbortSignal): Promise<void>
}

export type Layer<T> = (inner: T) => T
/** The first layer is the outermost, as read. */
export const stack = <T>(layers: readonly Layer<T>[], core: T): T =>
  layers.reduceRight((inner, layer) => layer(inner), core)
