{{- define "portico.name" -}}
{{ .Release.Name | trunc 50 | trimSuffix "-" }}
{{- end }}

{{- define "portico.labels" -}}
app.kubernetes.io/name: portico
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{- define "portico.metadata" -}}
name: {{ include "portico.name" . }}
labels:
  {{- include "portico.labels" . | nindent 2 }}
  app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
  app.kubernetes.io/managed-by: {{ .Release.Service }}
{{- end }}

{{- define "portico.pod" -}}
metadata:
  labels:
    {{- include "portico.labels" . | nindent 4 }}
  annotations:
    # settings are read at the start
    checksum/settings: {{ .Values.settings | toYaml | sha256sum }}
spec:
  # otherwise the Service puts PORTICO_PORT and others into the environment, which are no settings and refused
  enableServiceLinks: false
  automountServiceAccountToken: false
  terminationGracePeriodSeconds: {{ .Values.terminationGracePeriodSeconds }}
  securityContext:
    runAsNonRoot: true
    runAsUser: 1000
    runAsGroup: 1000
    fsGroup: 1000
    fsGroupChangePolicy: OnRootMismatch
    seccompProfile:
      type: RuntimeDefault
  {{- with .Values.imagePullSecrets }}
  imagePullSecrets:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- with .Values.nodeSelector }}
  nodeSelector:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- with .Values.tolerations }}
  tolerations:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- if not .Values.embedded }}
  topologySpreadConstraints:
    - maxSkew: 1
      topologyKey: kubernetes.io/hostname
      whenUnsatisfiable: ScheduleAnyway
      labelSelector:
        matchLabels:
          {{- include "portico.labels" . | nindent 10 }}
  {{- end }}
  containers:
    - name: portico
      image: "{{ .Values.image.repository }}:{{ .Values.image.tag | default .Chart.AppVersion }}"
      imagePullPolicy: {{ .Values.image.pullPolicy }}
      securityContext:
        allowPrivilegeEscalation: false
        readOnlyRootFilesystem: true
        capabilities:
          drop: [ALL]
      env:
        - name: PORTICO_MANAGEMENT__LISTEN
          value: 0.0.0.0:9090
        - name: PORTICO_SECRETS__KEY_FILE
          value: /run/secrets/portico/{{ .Values.secret.masterKey }}
        {{- if not .Values.embedded }}
        - name: PORTICO_STORAGE__URL_FILE
          value: /run/secrets/portico/{{ .Values.secret.storageUrl }}
        {{- if .Values.secret.statePassword }}
        - name: PORTICO_STATE__PASSWORD_FILE
          value: /run/secrets/portico/{{ .Values.secret.statePassword }}
        {{- end }}
        {{- end }}
      ports:
        - name: http
          containerPort: 3000
        - name: management
          containerPort: 9090
      startupProbe:
        httpGet:
          path: /healthz
          port: management
        periodSeconds: 2
        # migrations of a large database take their time
        failureThreshold: 150
      livenessProbe:
        httpGet:
          path: /healthz
          port: management
        periodSeconds: 10
        timeoutSeconds: 3
        failureThreshold: 3
      readinessProbe:
        httpGet:
          path: /readyz
          port: management
        periodSeconds: 5
        timeoutSeconds: 3
        failureThreshold: 1
      resources:
        {{- toYaml .Values.resources | nindent 8 }}
      volumeMounts:
        - name: settings
          mountPath: /app/portico.yaml
          subPath: portico.yaml
          readOnly: true
        - name: secret
          mountPath: /run/secrets/portico
          readOnly: true
        - name: tmp
          mountPath: /tmp
        {{- if .Values.policies }}
        - name: policies
          mountPath: /app/policies
          readOnly: true
        {{- end }}
        {{- if .Values.embedded }}
        - name: data
          mountPath: /app/data
        {{- end }}
  volumes:
    - name: settings
      configMap:
        name: {{ include "portico.name" . }}
    - name: secret
      secret:
        secretName: {{ .Values.secret.name }}
        defaultMode: 0440
    - name: tmp
      emptyDir: {}
    {{- if .Values.policies }}
    - name: policies
      configMap:
        name: {{ include "portico.name" . }}-policies
        items:
          {{- range $name, $text := .Values.policies }}
          - key: {{ $name | replace "/" "__" }}
            path: {{ $name }}
          {{- end }}
    {{- end }}
{{- end }}
