package process

import (
	"context"
	"errors"
	"os"
	"strings"
	"testing"
	"time"
)

func TestAwaitTellsOfAnEarlyDeath(t *testing.T) {
	table := newTable(t)
	if err := os.MkdirAll(table.Logs, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(table.LogPath("one"), []byte("words of an earlier one\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, started, err := table.Ensure(t.Context(), spec(t, table, "die")); err != nil || !started {
		t.Fatalf("started %t, %v", started, err)
	}
	// The second time it does not run from the beginning.
	for range 2 {
		err := table.Await(t.Context(), "one", func(context.Context) error { return errors.New("refused") })
		var died *DiedError
		if !errors.As(err, &died) {
			t.Fatalf("error %v", err)
		}
		if died.Name != "one" || died.Tail != "first words\nlast words" {
			t.Errorf("died %+v", died)
		}
		if !strings.Contains(err.Error(), "one does not run") || !strings.HasSuffix(err.Error(), "\nlast words") {
			t.Errorf("it reads %q", err)
		}
	}
}

func TestAwaitOfWhatWasNeverStarted(t *testing.T) {
	err := newTable(t).Await(t.Context(), "one", func(context.Context) error { return nil })
	var died *DiedError
	if !errors.As(err, &died) || died.Tail != "" {
		t.Errorf("error %v", err)
	}
}

// A question may hang for long; the death of the process ends it.
func TestAwaitEndsAHangingQuestionWithTheProcess(t *testing.T) {
	table := newTable(t)
	p, _ := ensure(t, table, spec(t, table, "serve"))
	err := table.Await(t.Context(), "one", func(ctx context.Context) error {
		kill(t, p)
		<-ctx.Done()
		return ctx.Err()
	})
	var died *DiedError
	if !errors.As(err, &died) || died.Tail != "serving" {
		t.Errorf("error %v", err)
	}
}

func TestAwaitDoesNotBelieveAnAnswerOfSomebodyElse(t *testing.T) {
	table := newTable(t)
	p, _ := ensure(t, table, spec(t, table, "serve"))
	err := table.Await(t.Context(), "one", func(context.Context) error {
		kill(t, p)
		return nil
	})
	var died *DiedError
	if !errors.As(err, &died) {
		t.Errorf("error %v", err)
	}
}

func TestAwaitGivesUpWithTheLastReason(t *testing.T) {
	table := newTable(t)
	ensure(t, table, spec(t, table, "serve"))
	ctx, cancel := context.WithTimeout(t.Context(), 3*awaitPoll)
	defer cancel()
	refused := errors.New("refused")
	asked := 0
	err := table.Await(ctx, "one", func(ctx context.Context) error {
		if asked++; asked == 1 {
			return refused
		}
		<-ctx.Done() // The next question is cut short.
		return ctx.Err()
	})
	if !errors.Is(err, context.DeadlineExceeded) || !errors.Is(err, refused) || !strings.Contains(err.Error(), "waiting for one") {
		t.Errorf("error %v", err)
	}
	if asked != 2 {
		t.Errorf("it was asked %d times", asked)
	}
}

func TestAwaitReturnsAsSoonAsReady(t *testing.T) {
	table := newTable(t)
	ensure(t, table, spec(t, table, "serve"))
	asked := 0
	before := time.Now()
	if err := table.Await(t.Context(), "one", func(context.Context) error {
		if asked++; asked < 3 {
			return errors.New("not yet")
		}
		return nil
	}); err != nil || asked != 3 {
		t.Errorf("asked %d times, %v", asked, err)
	}
	if took := time.Since(before); took < awaitPoll {
		t.Errorf("it was asked thrice in %s", took)
	}
}
