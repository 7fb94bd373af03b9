package port

import (
	"context"
	"fmt"

	"github.com/shirou/gopsutil/v4/net"
	"github.com/shirou/gopsutil/v4/process"
)

// holderOf returns the process that listens on a TCP port of this machine, as "name (process 123)".
// It returns "" if the process belongs to another user.
func holderOf(ctx context.Context, port int) string {
	connections, _ := net.ConnectionsWithContext(ctx, "tcp") // Without a list, the holder is unknown.
	for _, c := range connections {
		if c.Status != "LISTEN" || int(c.Laddr.Port) != port || c.Pid == 0 {
			continue
		}
		name, _ := (&process.Process{Pid: c.Pid}).NameWithContext(ctx) // The process can exit at any time.
		return fmt.Sprintf("%s (process %d)", name, c.Pid)
	}
	return ""
}
