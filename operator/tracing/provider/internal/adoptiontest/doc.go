// Package adoptiontest tests the adoption of the library by small operators.
//
// It contains only tests. They copy the operators in operator/tracing/testdata, apply a patch to
// each copy, and run it with a real API server (envtest) and an OTLP collector. The package is in
// this module because it needs OTLP's protocol.
package adoptiontest
