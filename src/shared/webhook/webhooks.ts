/** The webhooks there are: the path of each, what it is asked and what it answers. */
import { answer, configuration, interactive } from './answers.ts'
import type { Reader } from './fields.ts'
import {
  type AuthorizationRequest,
  type ConfigurationRequest,
  type InteractiveRequest,
  interactiveRequest,
  memberRequest,
  type PasswordRequest,
  type PublicKeyRequest,
  passwordRequest,
  publicKeyRequest,
} from './requests.ts'

/** What each webhook is asked, by the name of its handler. */
export interface WebhookRequests {
  readonly password: PasswordRequest
  readonly publicKey: PublicKeyRequest
  readonly keyboardInteractive: InteractiveRequest
  readonly authorization: AuthorizationRequest
  readonly configuration: ConfigurationRequest
}
export type WebhookName = keyof WebhookRequests

export interface Webhook<R> {
  /** Last segment of the path. The daemon appends it to the URL of the authentication webhooks. */
  readonly path: string
  /** Sentences for the document. */
  readonly asks: string
  readonly answers: string
  /** Which of the two servers has it. */
  readonly server: 'auth' | 'config'
  readonly request: Reader<R>
  readonly answer: Reader<object>
}

export const webhooks: { readonly [N in WebhookName]: Webhook<WebhookRequests[N]> } = {
  password: {
    path: 'password',
    asks: 'May this user log in with this password?',
    answers: 'Yes or no, and what is known about the user.',
    server: 'auth',
    request: passwordRequest,
    answer,
  },
  publicKey: {
    path: 'pubkey',
    asks: 'May this user log in with this key? Asked before the client proves that it has the private key.',
    answers: 'Yes or no, and what is known about the user.',
    server: 'auth',
    request: publicKeyRequest,
    answer,
  },
  keyboardInteractive: {
    path: 'keyboard-interactive',
    asks: 'What is this user to be asked, or may it log in with these answers? An addition to ContainerSSH 0.6.',
    answers: 'A challenge with the next questions, or yes or no.',
    server: 'auth',
    request: interactiveRequest,
    answer: interactive,
  },
  authorization: {
    path: 'authz',
    asks: 'May this user, who has proved to be authenticatedUsername, come in?',
    answers: 'Yes or no, and what more is known about the user.',
    server: 'auth',
    request: memberRequest,
    answer,
  },
  configuration: {
    path: 'config',
    asks: 'What is different for this user from the configuration of the daemon?',
    answers: 'A part of the configuration, and what more is known about the user.',
    server: 'config',
    request: memberRequest,
    answer: configuration,
  },
}

export const webhookNames = Object.keys(webhooks) as readonly WebhookName[] // the table's own keys
