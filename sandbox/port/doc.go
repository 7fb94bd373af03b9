// Package port chooses TCP ports on 127.0.0.1.
//
// [Choose] chooses the ports of Jaeger, and [Free] finds a single free port. If a requested port is
// in use, they return a [TakenError] that names its holder. Packages cluster and embedded call this
// package. It does not keep ports open: another program can take a port before the caller listens
// on it, so the caller must handle that error.
package port
