// Package process runs programs that outlive the command that starts them, and knows them again later.
//
// A [Table] is the processes of one sandbox: [Table.Ensure] makes one run as its [Spec] says, [Table.Find] and [Table.Stop] find
// and end it in any later command, [Table.Await] waits until it answers, [Table.Follow] and [Table.Tail] read its log. Package
// embedded calls it for each component of the control plane. It never signals a process that it has not just recognised, never
// connects a process to a pipe or a terminal, and never decides which programs there are nor in which order they start.
//
// # Life of a process
//
// A process leads a session and a process group of its own, reads from the null device, works in the folder above the records and
// has exactly the environment of its Spec. What it prints goes straight into its log, by file descriptor, so that nothing breaks
// when the command ends. It inherits no other open file: a shell that waits for the end of a pipe does not wait for it. A log that
// is above 10 MB at a start is renamed to NAME.log.1 then; it is not cut while the process runs.
//
// The record is written before the start, with process id 0, and again after it, each in one step. A command that is killed
// in between leaves a process that is found by its arguments; if the second write fails, the process is ended again. Thus nothing
// runs that no record names. While the command that started a process lives, it reaps the process when that ends; later the system does.
//
// # When a process is ours
//
//	what the system says about it                                 | ours
//	--------------------------------------------------------------|----------------------------------------------
//	runs as the record's pid, with its boot, start and arguments  | yes
//	other pid, boot or start, but exactly the record's arguments  | yes: the record's second write is missing, or wrong
//	the record's pid, but other arguments                         | no: a stranger, whatever the record says
//	a program below Programs, Mark in an argument, no record      | a stray: Strays finds it; Ensure, by equal arguments
//	a zombie                                                      | no: it has ended
//	another user's                                                | no
//	does not lead its session                                     | no: somebody ran the same command by hand
//	anything else                                                 | no
//
// Once recognised, a process is told from any later one with its pid by boot and start. The start is counted in clock ticks since
// the boot on Linux, which no change of the clock moves; on macOS it is the time that the system noted at the start. The
// arguments include argv[0], and paths in them are compared as they are spelled.
//
// A signal goes to the whole group. On Linux 6.9 and later it is sent through a handle that was opened before the process was
// recognised, so that it can't reach another one, and what the leader leaves behind in its group is killed too. Elsewhere the
// group is signalled by number right after its leader was recognised, and what outlives a leader is left alone.
//
// # Concurrency
//
// Two commands that change one Table at once must be kept apart by the caller's lock (package state has one); reading needs none. Within a
// command the methods may be called from several goroutines for different names.
package process
