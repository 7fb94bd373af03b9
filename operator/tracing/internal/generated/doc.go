// Package generated tests that package tracing never changes the requests of an operator. It
// contains only tests.
//
// A seed determines an operator: its reconciler, its server and the actions of its users.
// TestTracingChangesNothing runs each operator twice on a real API server, without and with
// tracing. A single goroutine drives the reconciler: it delivers the events of all writes in order,
// then reconciles the next request. Reads are live. So a run is deterministic, and both runs must
// have the same transcript: every request with its body byte for byte, every object and error that
// the operator received, and every call of the queue. Only names that the server chooses are
// replaced, by their order. An operator is at rest if three more reconciles of each object change
// nothing.
//
// TestManagersComeToRest runs operators in a manager, with its caches and queue. The order of
// events is not deterministic there. Both runs must end with the same objects and then write
// nothing for five seconds.
//
// The tests read KUBEBUILDER_ASSETS, the folder with kube-apiserver and etcd, and fail without it.
// Flags select the operators; a failure prints the seed and a simpler operator that fails too:
//
//	go test ./internal/generated -operators=2000 -timeout=2h
//	go test ./internal/generated -seed=31
//	go test ./internal/generated -operator='{"Primary":"ConfigMap","Objects":1,"Steps":[{"Verb":"apply","Kind":"Secret"}]}'
//
// With -mode=plain both runs are without tracing: a failure is a bug in this package.
//
// The script breaks.sh breaks the library on purpose and checks that the test fails:
//
//	create-annotated         Create adds an annotation
//	create-options-dropped   Create drops its options
//	update-annotated         Update adds an annotation
//	update-is-patch          Update is sent as a patch
//	update-result-changed    Update changes the caller's object after the request
//	extra-get                Update reads the object before
//	extra-update             Update is sent twice
//	dry-run-dropped          Apply drops the dry run
//	patch-marshalled-again   the body of a patch has other white space
//	delete-options-dropped   Delete drops its preconditions
//	status-swallowed         an update of the status is not sent
//	error-swallowed          the reconciler's error is not returned
//	requeue-dropped          the reconciler's result is not returned
//	retry-not-limited        the queue adds a retry at once
package generated
