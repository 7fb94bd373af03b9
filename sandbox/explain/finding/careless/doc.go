// Package careless runs a small operator with typical defects on a real API server, and tests that
// package finding finds them, and that it finds nothing after they are corrected.
//
// There is nothing here but tests. The operator is in testdata/operator, and testdata/careless.json
// is its recorded trace, which `go test -update` writes.
package careless
