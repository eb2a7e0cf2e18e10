{{/* The pod template of the Deployment or StatefulSet. */}}
{{- define "containerssh.pod" -}}
metadata:
  annotations:
    # A changed configuration makes new pods.
    checksum/config: {{ printf "%s%s" (include "containerssh.config" .) (toJson .Values.hostKeys) | sha256sum }}
    {{- if .Values.metrics.enabled }}
    prometheus.io/scrape: "true"
    prometheus.io/port: "9100"
    prometheus.io/path: {{ dig "metrics" "path" "/metrics" .Values.config | quote }}
    {{- end }}
    {{- with .Values.podAnnotations }}{{ toYaml . | nindent 4 }}{{ end }}
  labels:
    {{- include "containerssh.selector" . | nindent 4 }}
    {{- with .Values.podLabels }}{{ toYaml . | nindent 4 }}{{ end }}
spec:
  serviceAccountName: {{ include "containerssh.account" . }}
  terminationGracePeriodSeconds: {{ include "containerssh.graceSeconds" . }}
  {{- include "containerssh.place" . | nindent 2 }}
  {{- with .Values.topologySpreadConstraints }}
  topologySpreadConstraints: {{ toYaml . | nindent 4 }}
  {{- end }}
  containers:
    - name: containerssh
      {{- include "containerssh.image" . | nindent 6 }}
      args: [--config, /etc/containerssh/config/config.yaml]
      {{- with .Values.extraEnv }}
      env: {{ toYaml . | nindent 8 }}
      {{- end }}
      ports:
        - { name: ssh, containerPort: 2222 }
        - { name: health, containerPort: 7000 }
        {{- if .Values.metrics.enabled }}
        - { name: metrics, containerPort: 9100 }
        {{- end }}
      # Ready, and alive, is a daemon all of whose services run.
      startupProbe: { httpGet: { path: /, port: health }, periodSeconds: 1, failureThreshold: 60 }
      readinessProbe: { httpGet: { path: /, port: health }, periodSeconds: 5 }
      livenessProbe: { httpGet: { path: /, port: health }, periodSeconds: 10, timeoutSeconds: 5, failureThreshold: 3 }
      {{- if .Values.preStopSeconds }}
      lifecycle: { preStop: { sleep: { seconds: {{ .Values.preStopSeconds }} } } }
      {{- end }}
      {{- with .Values.resources }}
      resources: {{ toYaml . | nindent 8 }}
      {{- end }}
      volumeMounts:
        - { name: config, mountPath: /etc/containerssh/config, readOnly: true }
        - { name: keys, mountPath: /etc/containerssh/keys, readOnly: true }
        - { name: data, mountPath: /var/lib/containerssh }
        - { name: tmp, mountPath: /tmp }
        {{- with .Values.extraVolumeMounts }}{{ toYaml . | nindent 8 }}{{ end }}
  volumes:
    - { name: config, secret: { secretName: {{ include "containerssh.configSecret" . }}, defaultMode: 288 } }
    - { name: keys, secret: { secretName: {{ include "containerssh.keysSecret" . }}, defaultMode: 288 } }
    {{- if not .Values.persistence.enabled }}
    - { name: data, emptyDir: {} }
    {{- end }}
    - { name: tmp, emptyDir: {} }
    {{- with .Values.extraVolumes }}{{ toYaml . | nindent 4 }}{{ end }}
{{- end -}}
