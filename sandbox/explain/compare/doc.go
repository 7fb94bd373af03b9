// Package compare compares the runs of a change with the runs of another build, machine or setting:
// the structure of their traces, their counts, and their durations by segment.
//
// A [Run] has the numbers of one trace, and a [Set] the runs of one side. [Compare] claims a
// difference only if it is outside the noise.
//
// # The test
//
// Each measurement is compared with the Mann-Whitney U test (two-sided; package benchmath of
// golang.org/x/perf), which assumes nothing about the distribution. Because a comparison has many
// measurements, Holm's method corrects the probabilities: if nothing changed, the probability that a
// comparison claims anything is at most [Alpha]. Measurements that have one value in all runs of
// both sides do not count. Nothing is claimed with fewer than [MinRuns] runs of a side; with about
// ten measurements, the test can claim a difference from six runs of each side.
//
// A significant change of a duration must also be at least [MinChange] of the median and
// [MinDuration]. Counts have no such limit: one write more in each run is worse.
//
// # Durations
//
// The durations of a run are its total and the parts of its critical path, by actor and reason; see
// package explain.
package compare
