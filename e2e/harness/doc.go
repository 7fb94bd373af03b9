// Package harness is the base of the end-to-end tests: the life cycle of the sandbox, a client of
// its cluster and its Jaeger, expected trees with their variables replaced, and the artifacts of a
// failure.
//
// [Main] is its entry point: TestMain calls it. [Fixture] is the part of the cluster that one feature uses: a namespace,
// the traces that the feature read, and the artifacts of a failure.
//
// # Life cycle
//
// The reaper starts before any resource is created. It is another process of the test binary, in its
// own process group. It creates the folder of temporary files and builds the sandbox's program
// there, unless E2E_SANDBOX names a program. It uses the running sandbox, repairs a degraded one,
// or creates one. Then it waits for the end of a pipe from the tests. The kernel closes the pipe
// whenever the tests end: passed, failed, timed out, panicked, interrupted or killed. The reaper
// then asks the remaining commands of the sandbox that the tests started to end. After that:
//
//   - It takes the sandbox down if it created it, even an incomplete one.
//   - Otherwise it restores the sandbox: Jaeger and the operator run, with the variables that its user set, the
//     nodes accept Pods, the API server reaches the webhook, and the namespaces of tests, which have a label, are
//     deleted. If none of that is necessary, it changes nothing: a sample that the user removed stays removed.
//   - It removes the folder of temporary files, which is TMPDIR of the tests.
//
// SIGINT and SIGTERM end the tests immediately: the process then waits for the reaper, and exits
// with 128 and the signal's number. A second signal ends the wait, but not the reaper. After a
// panic, a timeout or SIGKILL, no process waits: the reaper ends some seconds later and still writes
// to stderr. Nothing cleans up after a SIGKILL of the reaper. Then `make sandbox-down` does it, and
// the next tests repair a sandbox that they find.
//
// Tests change the operator and Jaeger through [Cluster] on every kind of cluster: they are
// Deployments of a kind cluster, or processes of an embedded one.
//
// The package never creates a cluster itself, and reads only the sandbox's kubeconfig: the sandbox
// program does both.
package harness
