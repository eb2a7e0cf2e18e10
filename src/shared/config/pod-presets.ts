/** The pod of a configuration that says nothing about it. A file's pod is decoded over it, as the Go program did. */
import { guestImage } from './docker.ts'
import type { Kind } from './fields.ts'

type PodObject = Readonly<Record<string, unknown>>

export const presetMetadata = { generateName: 'containerssh-', namespace: 'default' }
const presetContainer = { image: guestImage, name: 'shell' }
export const presetSpec = { containers: [{ ...presetContainer, resources: {} }] }

/** What is given, with what the first container lacks; names are no empty texts. */
export const overPreset = (object: NonNullable<Kind['object']>, given: unknown): unknown => {
  if (typeof given !== 'object' || given === null) return given
  if (object === 'ObjectMeta') {
    const named = Object.entries(given).filter(([, value]) => value !== '')
    return { ...presetMetadata, ...Object.fromEntries(named) }
  }
  const { containers = [{}] } = given as PodObject
  if (!Array.isArray(containers) || containers.length === 0) return given
  const [first, ...more] = containers as PodObject[]
  return { ...given, containers: [{ ...presetContainer, ...first }, ...more] }
}
