// Package webhook registers the admission webhook for Heads with a manager.
//
// HeadDefaulter is the entry type. The operator wraps it with the tracing library, which starts a trace
// for each Head that a user creates or changes, and passes the wrapper to SetupHead. The manifest in
// config/webhook is generated from the marker in head.go.
//
// The package never rejects a Head, because the schema validates Heads even when the webhook is down.
// It never reads from the API server.
package webhook
