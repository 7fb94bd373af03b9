package faulttest_test

import (
	"testing"

	"github.com/operator-tracing/sandbox/operator/tracing/faulttest"
)

func TestRun(t *testing.T) {
	faulttest.Run(t, operator(false), faulttest.Options{})
}
