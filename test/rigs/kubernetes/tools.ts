/** The client programs of operators: helm, and kubectl of the release whose libraries helm has. */
import { buildGo } from './go-build.ts'

/** As in `tools/go.mod`. */
const helmVersion = '3.22.0'
const [kubectlMajor, kubectlMinor] = ['1', '37']
/** What they say of themselves; the versions of the API that charts are rendered for, if nobody says. */
const ldflags = [
  `-X helm.sh/helm/v3/internal/version.version=v${helmVersion}`,
  `-X helm.sh/helm/v3/pkg/chartutil.k8sVersionMajor=${kubectlMajor}`,
  `-X helm.sh/helm/v3/pkg/chartutil.k8sVersionMinor=${kubectlMinor}`,
  `-X helm.sh/helm/v3/pkg/lint/rules.k8sVersionMajor=${kubectlMajor}`,
  `-X helm.sh/helm/v3/pkg/lint/rules.k8sVersionMinor=${kubectlMinor}`,
  `-X k8s.io/component-base/version.gitVersion=v${kubectlMajor}.${kubectlMinor}.0`,
  `-X k8s.io/component-base/version.gitMajor=${kubectlMajor}`,
  `-X k8s.io/component-base/version.gitMinor=${kubectlMinor}`,
]
const module = { folder: 'tools', name: `helm-${helmVersion}`, files: ['main.go', 'go.mod', 'go.sum'] }

export interface Tools {
  readonly helm: string
  readonly kubectl: string
}

/** Four minutes with nothing else on two cores. @throws Error that says what could not be built. */
export async function buildTools(): Promise<Tools> {
  const [kubectl = '', helm = ''] = await buildGo(module, [
    { name: 'kubectl', package: '.', ldflags, about: 'kubectl (takes some minutes)' },
    { name: 'helm', package: 'helm.sh/helm/v3/cmd/helm', ldflags, about: `helm ${helmVersion}` },
  ])
  return { helm, kubectl }
}
