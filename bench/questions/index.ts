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
import { kubernetes } from './kubernetes.ts'
import { login } from './login.ts'
import { memory } from './memory.ts'
import { s3 } from './s3.ts'
import { scrape } from './scrape.ts'
import { webhook } from './webhook.ts'

export const questions: readonly Question[] = [
  login,
  webhook,
  configuration,
  exec,
  bulk,
  echo,
  memory,
  scrape,
  docker,
  dockerLogin,
  dockerBulk,
  kubernetes,
  audit,
  s3,
]
