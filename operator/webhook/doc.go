// Package webhook registers the admission of Heads with a manager.
//
// HeadDefaulter is the entry type; the operator's wiring wraps it with the
// tracing library, which starts a trace for each Head that a user creates or
// changes, and hands the result to SetupHead. The manifest that makes the API
// server call it is generated from the marker in head.go into config/webhook.
//
// The package never rejects a Head (the schema does that, also when the webhook
// is down) and never reads from the API server.
package webhook
