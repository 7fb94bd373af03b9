// Package adoptiontest adopts the library as an operator author would, and looks at what comes out.
//
// It has only tests: they take the small operators in operator/tracing/testdata, apply the patch of each to a
// copy, and run the copy against a real API server (envtest) and an OTLP collector. It is here because it needs the
// module of package provider, with OTLP's protocol.
package adoptiontest
