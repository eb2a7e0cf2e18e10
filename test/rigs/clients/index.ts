/** The rows of the client matrix. */
import { asyncssh } from './asyncssh.ts'
import type { SshClient } from './client.ts'
import { dropbear } from './dropbear.ts'
import { golang } from './golang.ts'
import { openssh } from './openssh.ts'
import { paramiko } from './paramiko.ts'
import { putty } from './putty.ts'
import { ssh2 } from './ssh2.ts'

export const clients: readonly SshClient[] = [openssh, putty, dropbear, asyncssh, paramiko, golang, ssh2]
