// Package spantree compares the spans of a trace with an expected tree.
//
// Spans can come from any source, for example a recorder in a unit test or a trace backend in an
// end-to-end test. The caller converts them to [Span], and [Build] returns their [Forest]. [Parse]
// reads the expected tree from a text file, and [Match] compares the two. After a failed match,
// [Result.Explain] prints the expected and the actual tree side by side, with a mark at each span
// that is missing, extra, moved or different. [Record] returns the expected tree of spans. [Update]
// updates a text and keeps its manual changes. [Golden] does all of this for a file.
//
// # The text format
//
// An expected tree has one span per line. The indentation (two spaces per level) is the depth.
// Several roots are several trees, of one trace or of several:
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
// A line is an optional mark, a name, an optional list of conditions in brackets, and an optional
// comment, which starts with a # after a space. The marks are ? (at most one), * (any number), +
// (one or more), and bounds: {0,3}, {2} and {2,}. A line without a mark is exactly one span. Two
// kinds of lines are not spans:
//
//	...              allows other children with any descendants; without it, a span
//	                 without a line fails the match
//	(budget LIMITS)  limits numbers of the whole forest; not indented, at most once; without other lines, any spans match
//
// The conditions are, in any order:
//
//	SERVER CLIENT PRODUCER CONSUMER INTERNAL   the kind of the span
//	service=NAME     the service, also of the descendants, until another is stated
//	status=CODE      Unset, Ok, Error or any; the default is any except Error
//
//	KEY=VALUE        the value of an attribute
//	KEY=~REGEXP      a regular expression that must match the whole value
//	KEY              an attribute that exists, with any value
//	!KEY             an attribute that does not exist
//
//	duration<2s      the duration of the span: < <= > >= or =, and two of them for a
//	                 range, as in duration>=10ms duration<2s
//
//	link             any link; !link is none
//
//	event=NAME       an event with this name; also event=~REGEXP, and event for any
//	event=NAME(...)  with conditions on its attributes, as for the attributes of a span
//	!event=NAME      no event with this name; !event excludes all events
//
// The limits of a budget compare a [Count] in the same way, as in writes<=6, or the duration from
// the first start to the last end of a span. With service=NAME, only the spans of that service
// count. Counts hardly depend on the machine. Bounds on durations should be generous.
//
// Names, keys and values that contain spaces, brackets or other special characters are written as
// quoted Go strings. An attribute whose key is one of the words above is quoted, too. So are the
// span name ... and names that start with (budget.
//
// $NAME and ${NAME} in names and values are variables. [Parse] keeps them, and [Tree.Fill] replaces
// them with values and $$ with a dollar sign. Recording replaces values with variables.
//
// Lines can end in CRLF. Tabs are only permitted in comments. The error for another tab contains
// its line and column. Columns count bytes, from 1.
//
// # Costs
//
// The package uses no network, starts no goroutine, writes files only in [Golden], and depends only
// on the standard library. It never hangs or panics on incorrect spans: cycles, duplicate ids,
// missing parents and skewed clocks are data. Parsing takes linear time. Matching takes polynomial
// time for any marks and conditions: milliseconds for 10,000 spans. Several goroutines can use a
// [Tree] or a [Forest] at the same time, because nothing changes them after they are built.
package spantree
