package main

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// waiting is a client whose reads wait for ever, except reads of the cache as it is.
type waiting struct {
	client.Client

	reads int
}

func (w *waiting) Get(ctx context.Context, _ client.ObjectKey, _ client.Object, opts ...client.GetOption) error {
	w.reads++
	if (&client.GetOptions{}).ApplyOptions(opts).DisableReadYourWritesConsistency {
		return nil
	}
	<-ctx.Done()
	return ctx.Err()
}

func TestReadsAreBounded(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		inner, began := &waiting{}, time.Now()
		if err := (boundedReads{inner}).Get(t.Context(), client.ObjectKey{}, &corev1.ConfigMap{}); err != nil {
			t.Errorf("Get = %v, want nil", err)
		}
		if took := time.Since(began); took != readLimit || inner.reads != 2 {
			t.Errorf("Get took %s and %d reads, want %s and 2", took, inner.reads, readLimit)
		}
	})
}

func TestReadsEndWithTheirContext(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		inner := &waiting{}
		ctx, cancel := context.WithTimeout(t.Context(), readLimit/2)
		defer cancel()
		if err := (boundedReads{inner}).Get(ctx, client.ObjectKey{}, &corev1.ConfigMap{}); !errors.Is(err, context.DeadlineExceeded) || inner.reads != 1 {
			t.Errorf("Get = %v after %d reads, want the error of its context after 1", err, inner.reads)
		}
	})
}
