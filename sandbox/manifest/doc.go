// Package manifest renders the components of a sandbox: rows of the table, Jaeger, the operator and its
// sample, and the node that kwok simulates on an embedded cluster.
//
// [FromTable], [Jaeger], [Operator], [Sample], [Node] and [Applier] return a [Component], a named
// list of objects with a version. Its methods install the component, wait until it is ready, and
// delete it. All of them can be repeated.
//
// The programs of a component are Pods. With other options they are processes
// that the caller starts between Apply and Wait; then no Deployments and Services are rendered.
//
// The package never loads images into nodes.
package manifest
