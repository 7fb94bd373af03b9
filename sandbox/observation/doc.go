// Package observation observes one change of an object on any cluster, from the change until the
// object is ready. A [Session] watches the object and related kinds, applies manifests if there are
// any, chooses the trace of the change, and shows it while it grows.
package observation
