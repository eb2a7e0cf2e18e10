/** Every question of `npm run bench`, in the order of the report. */
import type { Question } from '../question.ts'
import { audit } from './audit.ts'
import { bulk } from './bulk.ts'
import { configuration } from './configuration.ts'
import { docker } from './docker.ts'
import { dockerBulk } from './docker-bulk.ts'
import { dockerLogin } from './docker-login.ts'
import { echo } from './echo.ts'
import { exec } from './exec.ts'
import { handover } from './handover.ts'
import { handshake } from './handshake.ts'
import { ipc } from './ipc.ts'
import { kubernetes } from './kubernetes.ts'
import { layers } from './layers.ts'
import { login } from './login.ts'
import { memory } from './memory.ts'
import { peers } from './peers.ts'
import { s3 } from './s3.ts'
import { sandbox } from './sandbox.ts'
import { scaling } from './scaling.ts'
import { scrape } from './scrape.ts'
import { soak } from './soak.ts'
import { startUp } from './start.ts'
import { storm } from './storm.ts'
import { webhook } from './webhook.ts'

export const questions: readonly Question[] = [
  login,
  handshake,
  webhook,
  configuration,
  exec,
  bulk,
  echo,
  memory,
  storm,
  handover,
  ipc,
  layers,
  scaling,
  startUp,
  soak,
  peers,
  scrape,
  docker,
  dockerLogin,
  dockerBulk,
  kubernetes,
  sandbox,
  audit,
  s3,
]
