package ui

import (
	"bytes"
	"fmt"
	"os"
	"testing"
	"text/tabwriter"
)

func TestPrinter(t *testing.T) {
	var out bytes.Buffer
	p := NewPrinter(&out)
	for _, text := range []string{"\x1b[2J", "é\tb\n", "\xff\u202e\u009b\r\x7f"} {
		if n, err := fmt.Fprint(p, text); n != len(text) || err != nil {
			t.Errorf("writing %q = %d, %v; want %d", text, n, err, len(text))
		}
	}
	table := tabwriter.NewWriter(p, 0, 0, 2, ' ', 0)
	fmt.Fprint(table, "a\x1bb\tc\n")
	if err := table.Flush(); err != nil {
		t.Fatal(err)
	}
	if want := `\x1b[2Jé` + "\tb\n" + `\xff\u202e\u009b\r\x7fa\x1bb  c` + "\n"; out.String() != want {
		t.Errorf("printed %q, want %q", out.String(), want)
	}
	if Raw(p) != &out || Raw(&out) != &out {
		t.Error("Raw did not return the output")
	}
	if _, err := NewPrinter(failing{os.ErrClosed}).Write([]byte("x")); err == nil {
		t.Error("Write to a closed output = nil, want an error")
	}
}
