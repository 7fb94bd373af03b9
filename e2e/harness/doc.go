// Package harness is what the end-to-end tests stand on: the life cycle of the
// sandbox, a client of its cluster and its Jaeger, expected trees with their
// values filled in, and what is kept of a failure.
//
// [Main] is its entry: the tests' TestMain calls it. [Scene] is what one feature works
// in: a namespace, the traces that it looked at, and the artifacts that are written
// when it fails.
//
// # Life cycle
//
// Before anything is made there is who removes it: the guard, the test binary once
// more, in a process and a process group of its own. It makes the folder of temporary
// files, builds the sandbox's program into it unless E2E_SANDBOX names one, and uses
// the sandbox that is up, mends a degraded one, or brings one up. Then it waits for the
// end of a pipe that the tests hold. The kernel closes that however they end: passed,
// failed, stuck in their -timeout, panicked, interrupted or killed. Now it asks the sandbox's
// commands that the tests have started and left behind to end, and
//
//   - takes the sandbox down, if it has brought it up, also one that is half made;
//   - else leaves it as it was: Jaeger and the operator run, with the variables that its
//     user gave to the operator, the nodes take Pods, the webhook is reached, and the
//     namespaces of tests are gone, which a label marks. Where nothing of that is amiss, it
//     changes nothing: a sample that its user removed stays away;
//   - and removes the folder of temporary files, which is the tests' TMPDIR, too.
//
// SIGINT and SIGTERM end the tests at once: the process becomes one that waits for the
// guard, so that nothing is left when it ends, with 128 and the signal's number. A second
// one ends the waiting and not the guard. After a panic, the time limit and SIGKILL
// nobody waits: the guard ends some seconds later, and still writes to stderr. What only
// can't be cleaned up after is the SIGKILL of the guard; then `make sandbox-down` does it,
// and the next tests put right a sandbox that they find.
//
// What tests do to the operator and to Jaeger they do through [Cluster], whatever
// those are: Deployments of a kind cluster, or processes of an embedded one.
//
// The package never makes a cluster itself, nor reads a kubeconfig other than
// the sandbox's: both are the sandbox program's business.
package harness
