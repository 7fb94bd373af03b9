package browser

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"

	"github.com/operator-tracing/sandbox/e2e/faults/rig"
)

// names are the names of Chromium and compatible browsers, in the order of preference.
var names = []string{"chromium", "chromium-browser", "google-chrome-stable", "google-chrome", "/Applications/Chromium.app/Contents/MacOS/Chromium"}

// chrome is the browser that all tests share. Each test has its own profile and tab.
var chrome context.Context

func TestMain(m *testing.M) {
	code := 1
	err := withChrome(func() { code = rig.Main(m, "build", "--cluster=embedded") })
	if err != nil {
		fmt.Fprintln(os.Stderr, "browser:", err)
	}
	os.Exit(code)
}

// withChrome calls run while a browser runs, if tests are selected.
func withChrome(run func()) error {
	if slices.ContainsFunc(os.Args[1:], func(a string) bool {
		return strings.HasPrefix(a, "-test.short") || strings.HasPrefix(a, "-test.list")
	}) {
		run()
		return nil
	}
	path := ""
	for _, name := range names {
		if found, err := exec.LookPath(name); err == nil {
			path = found
			break
		}
	}
	if path == "" {
		return fmt.Errorf("these tests need Chromium, but none of %s is installed; run sudo scripts/prerequisites.sh test on Debian, or install it without snap elsewhere",
			strings.Join(names, ", "))
	}
	options := append(slices.Clone(chromedp.DefaultExecAllocatorOptions[:]), chromedp.ExecPath(path))
	if os.Geteuid() == 0 {
		// Chromium does not run as root with its own sandbox. It only opens pages of this
		// repository here.
		options = append(options, chromedp.NoSandbox)
	}
	ctx, cancel := chromedp.NewExecAllocator(context.Background(), options...)
	defer cancel()
	ctx, cancel = chromedp.NewContext(ctx)
	defer cancel()
	if err := chromedp.Do(ctx); err != nil {
		return fmt.Errorf("starting %s: %w", path, err)
	}
	chrome = ctx
	run()
	if err := chromedp.Cancel(ctx); err != nil {
		return fmt.Errorf("ending %s: %w", path, err)
	}
	return nil
}
