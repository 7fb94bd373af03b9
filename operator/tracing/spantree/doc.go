// Package spantree compares the spans of a trace with an expected tree.
//
// Spans come from anywhere: a recorder in a unit test, or a trace backend in
// an end-to-end test. A caller converts them to [Span], joins them with
// [Build] into a [Forest], reads the expectation with [Parse] from a text
// file, and calls [Match]. A failed match explains itself: [Result.Explain]
// prints the expected and the actual tree and marks what is missing, extra,
// moved or different.
//
// An expected tree has one span a line, and the indentation (two spaces a
// level) is the depth:
//
//	# The change of one object.
//	admit Head [SERVER service=demo operator.object.kind=Head]
//	  reconcile Head [CONSUMER]
//	    create ChildA [PRODUCER operator.object.name=~head-.+ operator.object.uid]
//	  ? converge Head [INTERNAL !error.type]  # at most once
//	  * reconcile Head                        # any number of times
//	  ...                                     # and other children
//
// A line is an optional mark, a name, an optional list of conditions in
// brackets, and an optional comment that starts with a # after a blank. The
// marks are ? (may be missing), * (any number) and + (one or more); a line
// without a mark is exactly one span. A line of three dots allows other
// children, with whatever is below them; without it a span that no line
// accounts for fails the match. The order of siblings has no meaning.
//
// The conditions are:
//
//	SERVER CLIENT PRODUCER CONSUMER INTERNAL   the span's kind
//	service=NAME     the service; it holds for the lines below too, until another is stated
//	status=CODE      Unset, Ok, Error or any; without it anything but Error passes
//	KEY=VALUE        an attribute's value
//	KEY=~REGEXP      a regular expression that must match the whole value
//	KEY              an attribute that is there, whatever its value
//	!KEY             an attribute that is not there
//
// Names, keys and values that hold blanks, brackets or other special
// characters are written as quoted Go strings. The words duration, link,
// links, event and events are kept free for conditions to come; an attribute
// of such a name is quoted too.
//
// The package reads no network, starts no goroutine, writes no file, and
// depends on the standard library alone. It never hangs or panics on spans
// that are wrong: cycles, duplicate ids, missing parents and skewed clocks are
// data. Nothing in it is changed after it is built, so a [Tree] or a [Forest]
// may be used by several goroutines at a time.
package spantree
