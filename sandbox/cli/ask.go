package cli

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"golang.org/x/term"
)

// errDeclined says that the user did not agree.
var errDeclined = errors.New("nothing was changed: you did not agree")

// asker asks the user to agree to something.
type asker struct {
	in  io.Reader
	out io.Writer
	// yes is that the user has agreed already.
	yes bool
}

// agree says what is to be done, and asks whether it may be, unless the user has agreed. Where nobody can answer, that is a mistake
// in the command line.
func (a asker) agree(ctx context.Context, title string, changes []string, end string) error {
	fmt.Fprintf(a.out, "\n%s\n\n", title)
	for _, change := range changes {
		fmt.Fprintf(a.out, "  %s\n", change)
	}
	fmt.Fprintf(a.out, "\n%s\n", end)
	if a.yes {
		fmt.Fprintln(a.out)
		return nil
	}
	if file, ok := a.in.(*os.File); !ok || !term.IsTerminal(int(file.Fd())) {
		return usageError{errors.New("nothing was changed: it needs your agreement, and there is no terminal to ask on: look at what is listed above, and give --yes")}
	}
	fmt.Fprint(a.out, "Go on? [y/N] ")
	answers := make(chan string, 1)
	go func() { // Who presses Ctrl-C instead ends the program, and this with it.
		answer, _ := bufio.NewReader(a.in).ReadString('\n') // An end without an answer is none.
		answers <- strings.ToLower(strings.TrimSpace(answer))
	}()
	select {
	case <-ctx.Done():
		return context.Cause(ctx)
	case answer := <-answers:
		if answer != "y" && answer != "yes" {
			return errDeclined
		}
	}
	return nil
}
