{{- define "containerssh.name" -}}
{{- .Release.Name | trunc 52 | trimSuffix "-" -}}
{{- end -}}

{{- define "containerssh.selector" -}}
app.kubernetes.io/name: {{ .Chart.Name }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end -}}

{{- define "containerssh.labels" -}}
{{ include "containerssh.selector" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" }}
{{- end -}}

{{- define "containerssh.guests" -}}
{{- .Values.guests.namespace | default .Release.Namespace -}}
{{- end -}}

{{- define "containerssh.account" -}}
{{- .Values.serviceAccount.name | default (ternary (include "containerssh.name" .) "default" .Values.serviceAccount.create) -}}
{{- end -}}

{{- define "containerssh.configSecret" -}}
{{- .Values.existingConfigSecret | default (printf "%s-config" (include "containerssh.name" .)) -}}
{{- end -}}

{{- define "containerssh.keysSecret" -}}
{{- .Values.hostKeys.existingSecret | default (printf "%s-host-keys" (include "containerssh.name" .)) -}}
{{- end -}}

{{/* The configuration file: what the user gave, and what the rest of the chart relies on. */}}
{{- define "containerssh.config" -}}
{{- range list "backend" "shutdownTimeout" "ssh.listen" "ssh.hostkeys" "health.enable" "health.listen" "metrics.enable" "metrics.listen" "kubernetes.pod.metadata.namespace" -}}
  {{- $place := $.Values.config -}}
  {{- range splitList "." . -}}
    {{- $place = ternary (get (ternary $place dict (kindIs "map" $place)) .) nil (kindIs "map" $place) -}}
  {{- end -}}
  {{- if not (or (kindIs "invalid" $place) (and (kindIs "string" $place) (eq $place ""))) -}}
    {{- fail (printf "config.%s is set by the chart; see the values shutdownTimeoutSeconds, hostKeys, metrics and guests" .) -}}
  {{- end -}}
{{- end -}}
{{- $keys := list -}}
{{- range .Values.hostKeys.names }}{{ $keys = append $keys (printf "/etc/containerssh/keys/%s" .) }}{{ end -}}
{{- $own := dict
  "backend" "kubernetes"
  "shutdownTimeout" (printf "%ds" (int .Values.shutdownTimeoutSeconds))
  "ssh" (dict "listen" "0.0.0.0:2222" "hostkeys" $keys)
  "health" (dict "enable" true "listen" "0.0.0.0:7000")
  "metrics" (dict "enable" .Values.metrics.enabled "listen" "0.0.0.0:9100")
  "kubernetes" (dict "pod" (dict "metadata" (dict "namespace" (include "containerssh.guests" .))))
-}}
{{- $data := dict "audit" (dict
  "file" (dict "directory" "/var/lib/containerssh/audit")
  "s3" (dict "local" "/var/lib/containerssh/audit-queue"))
-}}
{{- mergeOverwrite $data (deepCopy .Values.config) $own | toYaml -}}
{{- end -}}

{{/* preStop, shutdownTimeout, and time to remove the pods of users. */}}
{{- define "containerssh.graceSeconds" -}}
{{- add .Values.preStopSeconds .Values.shutdownTimeoutSeconds 20 -}}
{{- end -}}

{{/* Of every pod: who it runs as and where. */}}
{{- define "containerssh.place" -}}
securityContext:
  runAsNonRoot: true
  runAsUser: 65532
  runAsGroup: 65532
  fsGroup: 65532
  seccompProfile: { type: RuntimeDefault }
{{- range $name := list "imagePullSecrets" "hostAliases" "nodeSelector" "tolerations" "affinity" }}
{{- with get $.Values $name }}
{{ $name }}: {{ toYaml . | nindent 2 }}
{{- end }}
{{- end }}
{{- with .Values.priorityClassName }}
priorityClassName: {{ . }}
{{- end }}
{{- end -}}

{{/* Of every container. */}}
{{- define "containerssh.image" -}}
image: "{{ .Values.image.repository }}:{{ .Values.image.tag | default .Chart.AppVersion }}"
imagePullPolicy: {{ .Values.image.pullPolicy }}
securityContext:
  allowPrivilegeEscalation: false
  readOnlyRootFilesystem: true
  capabilities: { drop: [ALL] }
{{- end -}}
