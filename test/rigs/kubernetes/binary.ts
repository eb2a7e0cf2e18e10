/** The programs of a Kubernetes cluster. Six minutes with nothing else on two cores. */
import { buildGo } from './go-build.ts'

const version = '1.30.14'
const [major, minor] = version.split('.')
const stamp = 'k8s.io/component-base/version'
const ldflags = [`-X ${stamp}.gitVersion=v${version}`, `-X ${stamp}.gitMajor=${major}`, `-X ${stamp}.gitMinor=${minor}`]
const module = {
  folder: 'cluster',
  name: `kubernetes-${version}`,
  files: ['main.go', 'go.mod', 'go.sum', 'pause/main.go'],
}

export interface Programs {
  /** Its first argument says which program it is to be. */
  readonly kube: string
  /** The program of a pod's own container. */
  readonly pause: string
}

/** @throws Error that says what could not be built. */
export async function buildPrograms(): Promise<Programs> {
  const [pause = '', kube = ''] = await buildGo(module, [
    { name: 'pause', package: './pause', ldflags, about: 'the pause program' },
    { name: 'kube', package: '.', ldflags, about: `Kubernetes ${version} (takes some minutes)` },
  ])
  return { kube, pause }
}
