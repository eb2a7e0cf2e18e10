/** Forms of the configuration that older versions wrote, translated before anything else looks at the tree. */
import type { Mapping, Node } from '../tree.ts'
import { migrateAuthUrl } from './auth-url.ts'
import { dockerrun } from './dockerrun.ts'
import type { Migration } from './edit.ts'
import { kuberun } from './kuberun.ts'
import { migrateBackend } from './legacy-backend.ts'
import { migrateListen } from './listen.ts'

export type { Deprecation, Migration } from './edit.ts'

const steps: readonly ((tree: Mapping, migration: Migration) => Mapping)[] = [
  migrateListen,
  migrateAuthUrl,
  (tree, migration) => migrateBackend(tree, dockerrun, migration),
  (tree, migration) => migrateBackend(tree, kuberun, migration),
]

/** The tree itself if nothing in it is old. */
export const migrate = (tree: Node, migration: Migration): Node =>
  tree.kind === 'map' ? steps.reduce((before, step) => step(before, migration), tree) : tree
