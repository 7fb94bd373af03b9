package tracingtest

import "github.com/operator-tracing/sandbox/operator/tracing/spantree"

// TB is what [Check] needs of a test. *testing.T and *testing.B have it.
type TB interface {
	Helper()
	Errorf(format string, args ...any)
}

// Check fails the test unless the spans that tp recorded so far are as an expected tree says, and explains
// what differs. It reports whether they are. The tree is read from a file, in which $NAME and ${NAME} stand
// for values, so that a test on a cluster can use the same one; a name without a value, a file that can't
// be read and one that is no tree fail the test too. The spans' service is as given. It never ends the test,
// and calls it from the caller's goroutine alone. A nil tp has recorded nothing. What writes such a file from
// recorded spans is [spantree.Golden].
func Check(t TB, tp *TracerProvider, service, file string, values map[string]string) bool {
	t.Helper()
	golden := spantree.Golden{Path: file, Options: spantree.RecordOptions{Variables: values}}
	want, err := golden.Read()
	if err != nil {
		t.Errorf("%v", err)
		return false
	}
	var spans []spantree.Span
	unended := 0
	if tp != nil {
		spans, unended = tp.Spantree(service), tp.Unended()
	}
	result := spantree.Match(want, spantree.Build(spans))
	switch {
	case result.OK():
	case unended > 0:
		t.Errorf("the spans are not as in %s, and %d more have not ended\n%s", file, unended, result.Explain())
	default:
		t.Errorf("the spans are not as in %s\n%s", file, result.Explain())
	}
	return result.OK()
}
