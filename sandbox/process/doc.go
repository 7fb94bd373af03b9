// Package process runs programs that outlive the command that starts them, and recognises them
// later.
//
// A [Table] holds the processes of one sandbox. [Table.Ensure] starts a process as its [Spec]
// describes. Any later command can find it with [Table.Find] and stop it with [Table.Stop].
// [Table.Await] waits until it is ready; [Table.Follow] and [Table.Tail] read its log. Package
// embedded uses a Table for the components of the control plane.
//
// The package never signals a process that it has not just recognised. It never connects a process
// to a pipe or a terminal. It does not choose the programs or the order in which they start.
//
// # Life of a process
//
// A process leads a session and a process group of its own. It reads from the null device, works in
// the parent folder of the records and has exactly the environment of its Spec. Its output goes
// straight into its log by file descriptor, so the process survives the command that started it. It
// inherits no other open file: a shell that waits for the end of a pipe does not wait for it. If a
// log is larger than 10 MB at a start, it is renamed to NAME.log.1. It is not rotated while the
// process runs.
//
// The record is written before the start with process id 0, and again after it. Each write is
// atomic. If the command is killed between the two, the process is later found by its arguments. If
// the second write fails, the process is stopped. So every running process has a record. The
// command that started a process reaps it; after the command exits, the system does.
//
// # When a process belongs to the sandbox
//
//	observation                                                   | belongs to the sandbox
//	--------------------------------------------------------------|----------------------------------------------
//	runs as the record's pid, with its boot, start and arguments  | yes
//	other pid, boot or start, but exactly the record's arguments  | yes: the record's second write is missing or wrong
//	the record's pid, but other arguments                         | no: an unrelated process, whatever the record says
//	a program below Programs, Mark in an argument, no record      | a stray: Strays finds it; Ensure, by equal arguments
//	a zombie                                                      | no: it has ended
//	owned by another user                                         | no
//	does not lead its session                                     | no: a user ran the same command by hand
//	anything else                                                 | no
//
// Boot and start distinguish a recognised process from any later process with the same pid. On
// Linux the start is in clock ticks since the boot, which changes of the clock do not affect. On
// macOS it is the time that the system recorded at the start. The arguments include argv[0]; paths
// in them are compared as strings.
//
// A signal goes to the whole group. On Linux 6.9 and later it is sent through a handle that was
// opened before the process was recognised, so it cannot reach another process. Processes that the
// leader leaves behind in its group are killed too. On other systems the group is signalled by
// number right after its leader was recognised, and processes that outlive their leader keep
// running.
//
// # Concurrency
//
// Callers that change one Table must hold a lock (package state has one); reading needs no lock.
// Within a command, goroutines may call the methods concurrently for different names.
package process
