// Package adoptiontest adopts the library as an operator author would, and looks at what comes out.
//
// It has tests alone: they take the small operator in operator/tracing/testdata/adopter, apply adopt.patch to a
// copy, and run it against a real API server (envtest) and an OTLP collector. It is here because it needs the
// module of package provider, with OTLP's protocol.
package adoptiontest
