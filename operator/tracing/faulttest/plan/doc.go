// Package plan describes faults, and where in a run of an operator they are injected.
//
// A [Recording] holds the writes of a run in their order, and the events that the operator's watches
// delivered. [NewMatrix] turns a recording into plans. A [Plan] is one write or event of the
// recording with one [Fault], and has a text form such as "write:3,kill-after".
//
// A write is found in another run by its [Identity], not by its number, so that writes in another
// order do not matter.
package plan
