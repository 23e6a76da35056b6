{{- define "cdsp.name" -}}
{{- .Values.nameOverride | default .Chart.Name | trunc 63 | trimSuffix "-" -}}
{{- end -}}

{{/* Name of the chart's objects. Roles add up to 7 characters. */}}
{{- define "cdsp.fullname" -}}
{{- $name := include "cdsp.name" . -}}
{{- if .Values.fullnameOverride -}}
{{- .Values.fullnameOverride | trunc 54 | trimSuffix "-" -}}
{{- else if contains $name .Release.Name -}}
{{- .Release.Name | trunc 54 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-%s" .Release.Name $name | trunc 54 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}

{{- define "cdsp.selectorLabels" -}}
app.kubernetes.io/name: {{ include "cdsp.name" . | quote }}
app.kubernetes.io/instance: {{ .Release.Name | quote }}
app.kubernetes.io/component: operator
{{- end -}}

{{- define "cdsp.labels" -}}
{{ include "cdsp.selectorLabels" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" }}
{{- end -}}

{{/* Labels of the pods that the operator makes: operator/controller/names.ts. */}}
{{- define "cdsp.stageLabels" -}}
app.kubernetes.io/managed-by: cdsp
app.kubernetes.io/component: stage
{{- end -}}

{{- define "cdsp.serviceAccountName" -}}
{{- if .Values.serviceAccount.create -}}
{{- .Values.serviceAccount.name | default (include "cdsp.fullname" .) -}}
{{- else -}}
{{- .Values.serviceAccount.name | default "default" -}}
{{- end -}}
{{- end -}}

{{- define "cdsp.image" -}}
{{- with .Values.image -}}
{{- if .digest -}}
{{ .repository }}@{{ .digest }}
{{- else -}}
{{ .repository }}:{{ .tag | default $.Chart.AppVersion }}
{{- end -}}
{{- end -}}
{{- end -}}

{{/* The operator's configuration file: operator/config.ts. */}}
{{- define "cdsp.config" -}}
{{- $config := deepCopy (.Values.config | default dict) -}}
{{- $_ := set $config "trainerImage" ($config.trainerImage | default (printf "cdsp-trainer:%s" .Chart.AppVersion)) -}}
{{- with .Values.namespaces -}}
{{- $_ := set $config "namespaces" (uniq .) -}}
{{- end -}}
{{- if .Values.openshift -}}
{{- $_ := set $config "stageUser" "Assigned" -}}
{{- end -}}
{{- toYaml $config -}}
{{- end -}}

{{/* A security context of the values, without the ids that OpenShift assigns. Takes the root and the context. */}}
{{- define "cdsp.securityContext" -}}
{{- $context := index . 1 | default dict -}}
{{- if (index . 0).Values.openshift -}}
{{- $context = omit $context "runAsUser" "runAsGroup" "fsGroup" -}}
{{- end -}}
{{- with $context -}}
{{- toYaml . -}}
{{- end -}}
{{- end -}}

{{/* What the operator may do in the namespaces it works in. */}}
{{- define "cdsp.rules" -}}
- apiGroups: [cdsp.dev]
  resources: [cdspexperiments]
  verbs: [get, list, watch]
- apiGroups: [cdsp.dev]
  resources: [cdspexperiments/status]
  verbs: [patch]
- apiGroups: [batch]
  resources: [jobs]
  verbs: [list, watch, create, patch, delete]
- apiGroups: ['']
  resources: [pods]
  verbs: [list, watch]
- apiGroups: ['']
  resources: [persistentvolumeclaims]
  verbs: [get, create, patch{{ if or .Values.openshift .Values.rbac.ownerReferencesPermissionEnforcement }}, delete{{ end }}]
- apiGroups: ['']
  resources: [events]
  verbs: [list, create]
{{- end -}}

{{- define "cdsp.viewRules" -}}
- apiGroups: [cdsp.dev]
  resources: [cdspexperiments, cdspexperiments/status]
  verbs: [get, list, watch]
{{- end -}}

{{- define "cdsp.editRules" -}}
- apiGroups: [cdsp.dev]
  resources: [cdspexperiments]
  verbs: [get, list, watch, create, update, patch, delete, deletecollection]
- apiGroups: [cdsp.dev]
  resources: [cdspexperiments/status]
  verbs: [get]
{{- end -}}

{{- define "cdsp.subject" -}}
- kind: ServiceAccount
  name: {{ include "cdsp.serviceAccountName" . | quote }}
  namespace: {{ .Release.Namespace | quote }}
{{- end -}}
