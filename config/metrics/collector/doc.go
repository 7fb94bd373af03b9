// Package collector has only tests: the collector's own library accepts the configuration in
// config/metrics, and every query of the dashboard finds its metrics and labels in the result.
//
// It is a module of its own, so that no other module requires the collector. The workspace does not
// have it, because the workspace builds everything with the versions of the root module. Run it with
// `GOWORK=off go test ./...` in this folder.
package collector
