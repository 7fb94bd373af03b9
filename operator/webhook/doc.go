// Package webhook registers the admission webhook for Heads with a manager.
//
// HeadDefaulter is the entry type, and SetupHead registers it. The manifest in config/webhook is
// generated from the marker in head.go. The package contains no tracing code: the operator wraps its
// manager with the tracing library, and the wrapped manager traces each webhook.
//
// The package never rejects a Head, because the schema validates Heads even when the webhook is down.
// It never reads from the API server.
package webhook
