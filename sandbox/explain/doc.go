// Package explain says why a change of an object took as long as it did. [Of] computes the critical
// path of a trace: which actor took which part of the time, and for which reason. It reads the spans of package
// operator/tracing and of an observer, and treats spans of other programs as time of their parents.
//
// # Definition
//
// The path ends with the goal, by default the write that made the condition Ready of the object true.
// It starts with the start of the earliest root. Total is the time between. The path goes from an
// effect to its one cause, and from there to the cause of that, until a span has none:
//
//   - A write of the library is a part of its reconcile. The time since the start of the reconcile
//     belongs to the writes, reads and other spans that ended before it, the last first, and else to
//     the operator's own code. Admission webhooks within a write are parts of it.
//   - Before a reconcile are its wait in the queue, and then its delay, if it was requeued. The
//     cause is then the previous reconcile of the object. If reconciles that changed nothing came
//     between, the operator polled: the cause is the last object of the operator that became ready
//     within the last delay.
//   - Otherwise the cause of a reconcile is the write that triggered it: the recorded span, else
//     the write of the recorded resourceVersion by any service, else the parent if it wrote or
//     admitted the same object. The time between is watch latency.
//   - The cause of a reaction of an observed controller is the write of its recorded
//     resourceVersion, else its parent. Its time is one segment, except that the start of a Pod has
//     phases, and a binding has the time in which no node had room.
//
// If the exact cause is not in the trace, the path continues with the last write of that object
// before it, else with the parent, and the time until then is unknown. If there is no cause at all,
// the rest is unknown.
//
// The walk moves a cursor from the goal back to the start. A segment is the time between two
// positions of the cursor, and the cursor never moves forward. So segments do not overlap, and their
// sum is Total, whatever the clocks of the services are. If an effect starts before its cause, the
// part of the cause after the effect's start does not count, and Skew says by how much two clocks
// differ at least.
//
// # Example
//
// An operator creates a Deployment, and is ready when that is available. Times are in milliseconds:
//
//	admit Head                 0 –   2   operator
//	  reconcile Head           5 –  20   operator, queue_wait 1, trigger create Head
//	    create Deployment      8 –  18   operator, resource_version 7
//	      update_status …     19 – 919   deployment-controller, caused by version 7, has version 8
//	  reconcile Head         925 – 945   operator, queue_wait 2, trigger update Deployment, version 8
//	    update_status Head   930 – 940   operator, Ready: False→True
//
// The path has these segments:
//
//	  0 –   2   webhook         operator
//	  2 –   4   watch latency   operator
//	  4 –   5   queue           operator
//	  5 –   8   own code        operator
//	  8 –  18   API write       operator: create Deployment
//	 18 –  19   watch latency   deployment-controller
//	 19 – 919   reaction        deployment-controller: update_status Deployment
//	919 – 923   watch latency   operator
//	923 – 925   queue           operator
//	925 – 930   own code        operator
//	930 – 940   API write       operator: update_status Head
//
// Total is 940 ms. Of the first reconcile only the 13 ms until the Deployment was created are on the
// path: the rest of it delayed nothing.
//
// # Limits
//
// A reconcile that changes nothing has no span, so it can't be a cause. Where in a reconcile a read
// waited for a cache is not recorded: the wait counts for the earliest reads and own code. The
// latency of a write counts until its effect starts, which can be before the response.
package explain
