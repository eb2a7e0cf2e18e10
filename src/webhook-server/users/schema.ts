/** The file of `containerssh webhook-server --users`. */
import * as z from 'zod'
import { api, flag, foreign, kinds, list, secret, section, text, textOr, texts } from '../../shared/config/fields.ts'
import { log } from '../../shared/config/services.ts'

const mappingError = { error: 'is not a mapping' }
const secretText = (wrong: string) => z.string({ error: wrong }).register(kinds, { form: 'text', secret: true })

/** Name to a text, or to a mapping in its place. */
const entries = <S extends z.ZodType>(entry: S) =>
  z.record(z.string(), entry, mappingError).register(kinds, { form: 'map', secret: true }).default({})
const datum = textOr(section({ value: secret(), sensitive: flag() }).unwrap(), 'is neither a text nor {value: …}')
const file = textOr(
  section({ value: api.secret(), base64: api.secret(), sensitive: flag() }).unwrap(),
  'is neither a text nor {value: …} nor {base64: …}',
)

const user = z.strictObject(
  {
    /** The login name. */
    name: secretText('is not a text').min(1, 'is empty').register(kinds, { form: 'text' }),
    /** PHC string; `containerssh hash-password` makes one. Also for keyboard-interactive. */
    passwordHash: secretText('is not a text').optional(),
    /** Only there to be refused. */
    password: z
      .never({ error: 'is not read; make a passwordHash of it with containerssh hash-password' })
      .register(kinds, { form: 'text', secret: true })
      .optional(),
    /** Lines of an authorized_keys file, without options, or names of such files. */
    authorizedKeys: texts(),
    /** Who the user really is; the login name if empty. */
    authenticatedUsername: text(),
    /** What the authorization webhook says. */
    authorized: flag(true),
    metadata: entries(datum),
    environment: entries(datum),
    files: entries(file),
    /** What is different from the daemon's configuration, in the form of its file. */
    config: foreign().register(kinds, { form: 'map', secret: true }).optional(),
  },
  { error: 'is not a mapping; expected e.g. {name: alice, passwordHash: …}' },
)

/** Whether a server is there stands in its log on level info. */
const { level, ...output } = log.unwrap().shape
export const usersSchema = section({
  log: section({ ...output, level: level.removeDefault().default('info') }),
  users: list(user),
})

export type UsersFile = z.output<typeof usersSchema>
export type FileUser = UsersFile['users'][number]
