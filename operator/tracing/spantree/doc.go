// Package spantree compares the spans of a trace with an expected tree.
//
// Spans come from anywhere: a recorder in a unit test, or a trace backend in
// an end-to-end test. A caller converts them to [Span], joins them with
// [Build] into a [Forest], reads the expectation with [Parse] from a text
// file, and calls [Match]. A failed match explains itself: [Result.Explain] prints the expected and the actual tree side
// by side and marks what is missing, extra, moved or different. [Record] makes a
// text of spans, [Update] brings one up to date without losing what was written by
// hand, and [Golden] does all of this for a file.
//
// # The text format
//
// An expected tree has one span a line, and the indentation (two spaces a
// level) is the depth. Several roots are several trees, of one trace or of more:
//
//	# The change of one object.
//	(budget writes<=6 unchanged=0 duration<30s)
//	admit Head [SERVER service=demo operator.object.kind=Head]
//	  reconcile Head [CONSUMER]
//	    create ChildA [PRODUCER operator.object.name=~head-.+ operator.object.uid]
//	  ? converge Head [INTERNAL !error.type duration<2s]  # at most once
//	  {1,3} reconcile Head                                # one to three times
//	  * reconcile Head                                    # any number of times
//	    update_status Head [CLIENT event="Ready: False→True"(operator.condition.reason=Available)]
//	  ...                                                 # and other children
//
// A line is an optional mark, a name, an optional list of conditions in
// brackets, and an optional comment that starts with a # after a blank. The
// marks are ? (may be missing), * (any number), + (one or more), and bounds: {0,3},
// {2} and {2,}. A line without a mark is exactly one span. Two kinds of lines are
// no spans:
//
//	...              allows other children, with whatever is below them; without it
//	                 a span that no line accounts for fails the match
//	(budget LIMITS)  limits numbers of the whole forest; at the left, at most once
//
// The conditions are, in any order:
//
//	SERVER CLIENT PRODUCER CONSUMER INTERNAL   the span's kind
//	service=NAME     the service; it holds for the lines below too, until another is stated
//	status=CODE      Unset, Ok, Error or any; without it anything but Error passes
//
//	KEY=VALUE        an attribute's value
//	KEY=~REGEXP      a regular expression that must match the whole value
//	KEY              an attribute that is there, whatever its value
//	!KEY             an attribute that is not there
//
//	duration<2s      how long the span lasts: < <= > >= or =, and two of them for a
//	                 range, as in duration>=10ms duration<2s
//
//	link             some link; !link is none
//
//	event=NAME       some event of the name; event=~REGEXP too, and event alone
//	event=NAME(...)  with conditions on its attributes, as those of a span
//	!event=NAME      no event of the name; !event is no event at all
//
// The limits of a budget compare a [Count] in the same way, as in writes<=6, or the
// duration from the first start to the last end of a span. With service=NAME only
// the spans of that service count. Counts hardly depend on the machine; bounds on
// durations should be generous.
//
// Names, keys and values that hold blanks, brackets or other special characters
// are written as quoted Go strings, and so is an attribute whose key is one of the
// words above. The span name ... is quoted too, and one that starts with (budget.
//
// $NAME and ${NAME} in names and values are variables. Parsing leaves them as they
// are, and [Tree.Fill] puts values in their place; $$ is a dollar sign then.
// Recording puts variables in the place of values.
//
// Lines may end in CRLF. A tab may stand in comments only, and an error says so
// with its line and column; columns count bytes, from 1.
//
// # What it costs
//
// The package reads no network, starts no goroutine, writes no file but in
// [Golden], and depends on the standard library alone. It never hangs or panics on
// spans that are wrong: cycles, duplicate ids, missing parents and skewed clocks
// are data. Parsing takes linear time. Matching takes polynomial time, whatever is
// repeated and whatever could be assigned to what: milliseconds for 10,000 spans.
// Nothing in it is changed after it is built, so a [Tree] or a [Forest] may be used
// by several goroutines at a time.
package spantree
