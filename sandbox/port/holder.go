package port

import (
	"bufio"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// holderOf names the process that listens on a TCP port of this machine, as "name (process 123)", or "" where it
// can't be found: another user's, or a system without /proc.
func holderOf(port int) string {
	inode := listeningInode(port)
	if inode == "" {
		return ""
	}
	links, _ := filepath.Glob("/proc/[0-9]*/fd/*") // The pattern is well-formed, the only error there is.
	for _, link := range links {
		if target, err := os.Readlink(link); err == nil && target == "socket:["+inode+"]" {
			process := strings.Split(link, "/")[2]
			name, _ := os.ReadFile("/proc/" + process + "/comm") // A process that just ended has no name to tell.
			return fmt.Sprintf("%s (process %s)", strings.TrimSpace(string(name)), process)
		}
	}
	return ""
}

// listeningInode finds the inode of the socket that listens on port, in the kernel's tables (proc(5), /proc/net/tcp:
// column 2 is the local address, column 4 the state with 0A for LISTEN, column 10 the inode).
func listeningInode(port int) string {
	for _, table := range []string{"/proc/net/tcp", "/proc/net/tcp6"} {
		file, err := os.Open(table)
		if err != nil {
			continue
		}
		inode := ""
		suffix := fmt.Sprintf(":%04X", port)
		for lines := bufio.NewScanner(file); inode == "" && lines.Scan(); {
			fields := strings.Fields(lines.Text())
			if len(fields) > 9 && fields[3] == "0A" && strings.HasSuffix(fields[1], suffix) {
				inode = fields[9]
			}
		}
		_ = file.Close() // It was read.
		if inode != "" {
			return inode
		}
	}
	return ""
}
