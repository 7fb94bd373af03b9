package faults

import (
	"time"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/operator-tracing/sandbox/operator/tracing/faulttest/plan"
	"github.com/operator-tracing/sandbox/sandbox/apply"
)

// Defaults of [Options].
const (
	DefaultQuiet = 500 * time.Millisecond
	// cleanQuiet is the time without writes that the first clean run requires. Slow loops show there.
	cleanQuiet = 10 * time.Second
	// defaultCleanBound is the time limit of a step in the clean runs.
	defaultCleanBound = 2 * time.Minute
	// minBound is the least time limit of a step in the other runs.
	minBound = 10 * time.Second
	// outageBound is how much longer a step may take after an outage: clients and work queues back off.
	outageBound = 30 * time.Second
	// cleanLimit is the time limit for the deletion of the namespaces of earlier runs.
	cleanLimit = 30 * time.Second
	// logLines is the number of lines of the operator's log in a report.
	logLines = 30
)

// Options configure [Run].
type Options struct {
	// Cluster is the sandbox's cluster, with the rights of its administrator.
	Cluster *apply.Cluster
	// Operator runs behind Proxy.
	Operator Operator
	Proxy    Proxy
	// Name names the operator in the report.
	Name string
	// Samples are applied by each run, and Update after they are ready. Update may be empty.
	Samples, Update []*unstructured.Unstructured
	// InPlace keeps the names and namespaces of the objects; the caller must have deleted them. Without
	// it, each run has a namespace of its own, if all objects have one and the same namespace.
	InPlace bool
	// Webhook is true if the operator has an admission webhook.
	Webhook bool
	// Only are the plans to run (default all).
	Only []plan.Plan
	// Full runs also the plans that are unlikely to find more than others.
	Full bool
	// List only lists the plans, after the clean runs.
	List bool
	// Budget is the time after which no further plan starts (default no limit).
	Budget time.Duration
	// Bound is the time limit of a step (default ten times the slowest step of the clean runs, and 10 s
	// at least).
	Bound time.Duration
	// Quiet is the time without writes after which the operator counts as at rest (default
	// DefaultQuiet, and 10 s in the first clean run).
	Quiet time.Duration
	// Labels are the attributes of spans that the traces in the report show.
	Labels []string
	// Repeat returns the command that repeats a plan.
	Repeat func(plan.Plan) string
	// Step is called at the start of each run, and returns what is called at its end with the result in
	// a few words.
	Step func(name string) (end func(detail string, ok bool))

	cleanBound time.Duration // for tests; see defaultCleanBound
}
