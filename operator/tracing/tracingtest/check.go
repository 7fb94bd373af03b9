package tracingtest

import "github.com/operator-tracing/sandbox/operator/tracing/spantree"

// TB is the part of testing.TB that [Check] uses.
type TB interface {
	Helper()
	Errorf(format string, args ...any)
}

// Check fails the test if the spans that tp recorded so far do not match an expected tree, and
// explains the differences. It returns whether they match. service is the name of the spans'
// service.
//
// The tree is read from a file, in which $NAME and ${NAME} stand for values, so that a test on a
// cluster can use the same file. Check also fails the test for a name without a value, a file that
// cannot be read, and an invalid tree. [spantree.Golden] writes such a file from recorded spans.
//
// A nil tp has no spans. Check never ends the test, and calls t only from the caller's goroutine.
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
		t.Errorf("spans differ from %s, and %d spans have not ended\n%s", file, unended, result.Explain())
	default:
		t.Errorf("spans differ from %s\n%s", file, result.Explain())
	}
	return result.OK()
}
