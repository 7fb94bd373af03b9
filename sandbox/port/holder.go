package port

import (
	"bufio"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// holderOf returns the process that listens on a TCP port of this machine, as "name (process 123)".
// It returns "" if the process belongs to another user or if the system has no /proc.
func holderOf(port int) string {
	inode := listeningInode(port)
	if inode == "" {
		return ""
	}
	links, _ := filepath.Glob("/proc/[0-9]*/fd/*") // The only possible error is an invalid pattern.
	for _, link := range links {
		if target, err := os.Readlink(link); err == nil && target == "socket:["+inode+"]" {
			process := strings.Split(link, "/")[2]
			name, _ := os.ReadFile("/proc/" + process + "/comm") // The process can exit at any time.
			return fmt.Sprintf("%s (process %s)", strings.TrimSpace(string(name)), process)
		}
	}
	return ""
}

// listeningInode returns the inode of the socket that listens on port, from the kernel's tables. In
// /proc/net/tcp, column 2 is the local address, column 4 the state (0A is LISTEN) and column 10 the
// inode; see proc(5).
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
		_ = file.Close() // The file was only read.
		if inode != "" {
			return inode
		}
	}
	return ""
}
