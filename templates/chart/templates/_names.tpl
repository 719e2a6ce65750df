{{- define "mlflow.metadata" -}}
name: {{ .Values.name | quote }}
namespace: {{ .Release.Namespace | quote }}
labels:
  app.kubernetes.io/name: {{ .Values.name | quote }}
  app.kubernetes.io/managed-by: {{ .Release.Service | quote }}
{{- end -}}

{{- define "mlflow.prefix" -}}
{{- if ne .Values.path "/" }}{{ .Values.path }}{{ end -}}
{{- end -}}

{{/* Tracking URI of trainings in the cluster. */}}
{{- define "mlflow.address" -}}
{{- $port := int .Values.service.port -}}
http://{{ .Values.name }}.{{ .Release.Namespace }}.svc.{{ .Values.service.clusterDomain }}{{ if ne $port 80 }}:{{ $port }}{{ end }}{{ include "mlflow.prefix" . }}
{{- end -}}

{{- define "mlflow.keepsFiles" -}}
{{- if or (not .Values.database.secret) (not .Values.artifacts.connection) }}yes{{ end -}}
{{- end -}}

{{/* Host names that MLflow accepts, with any port. */}}
{{- define "mlflow.hosts" -}}
{{- $service := printf "%s.%s.svc" .Values.name .Release.Namespace -}}
{{- $names := list .Values.name (printf "%s.%s" .Values.name .Release.Namespace) $service (printf "%s.%s" $service .Values.service.clusterDomain) "localhost" "127.0.0.1" -}}
{{- if .Values.ingress.enabled }}{{ $names = append $names .Values.ingress.host }}{{ end -}}
{{- $forms := list -}}
{{- range $names }}{{ $forms = concat $forms (list . (printf "%s:*" .)) }}{{ end -}}
{{- join "," (concat $forms .Values.allowedHosts) -}}
{{- end -}}

{{/* Origins whose pages may write. */}}
{{- define "mlflow.origins" -}}
{{- $own := list -}}
{{- if .Values.ingress.enabled -}}
{{- $own = list (printf "https://%s" .Values.ingress.host) -}}
{{- if not .Values.ingress.tlsSecret }}{{ $own = append $own (printf "http://%s" .Values.ingress.host) }}{{ end -}}
{{- end -}}
{{- join "," (concat $own .Values.allowedOrigins) -}}
{{- end -}}
