package cause

import (
	"strings"
	"testing"
	"unicode/utf8"
)

func TestOf(t *testing.T) {
	t.Parallel()
	const pflagUsage = "Usage:\n  manager [flags]\n\nFlags:\n  -h, --help   help\n      --zap-stacktrace-level   one of 'info', 'error', 'panic'\n"
	const flagUsage = "Usage of /run/manager:\n  -zap-log-level value\n    \tcan be one of 'debug', 'info', 'error', 'panic'\n"
	for name, test := range map[string]struct{ log, want string }{
		"nothing":                {"", ""},
		"its last line":          {"a\nb\n", "b"},
		"a flag of cobra":        {"Error: unknown flag: --kubeconfig\n" + pflagUsage, "Error: unknown flag: --kubeconfig"},
		"and its second line":    {"Error: unknown flag: --kubeconfig\n" + pflagUsage + "\nunknown flag: --kubeconfig\n", "unknown flag: --kubeconfig"},
		"a flag of package flag": {"flag provided but not defined: -kubeconfig\n" + flagUsage, "flag provided but not defined: -kubeconfig"},
		"a value of a flag":      {"invalid value \"x\" for flag -v: parse error\n" + flagUsage, "invalid value \"x\" for flag -v: parse error"},
		"a boolean":              {"invalid boolean value \"x\" for -v: parse error\n" + flagUsage, "invalid boolean value \"x\" for -v: parse error"},
		"a shorthand":            {"Error: unknown shorthand flag: 'k' in -kube\n" + pflagUsage, "Error: unknown shorthand flag: 'k' in -kube"},
		"a command":              {"Error: unknown command \"x\" for \"manager\"\nRun 'manager --help' for usage.\n", "Error: unknown command \"x\" for \"manager\""},
		"zap in JSON":            {"x\n{\"level\":\"fatal\",\"msg\":\"bad\"}\n\tgoroutine\n", `{"level":"fatal","msg":"bad"}`},
		"a fatal after errors":   {"{\"level\":\"fatal\",\"msg\":\"bad\"}\n{\"level\":\"error\",\"msg\":\"later\"}\n", `{"level":"fatal","msg":"bad"}`},
		"an error in a warning":  {"panic: no CRD\n{\"level\":\"warn\",\"error\":\"not found\"}\nbye\n", "panic: no CRD"},
		"only a warning":         {"{\"level\":\"warn\",\"error\":\"not found\"}\nbye\n", "bye"},
		"zap on a console":       {"2026-11-30T10:00:00Z\tERROR\tsetup\tunable to start manager\t{\"error\": \"no\"}\nmain.main\n\t/src/main.go:1\n", "2026-11-30T10:00:00Z\tERROR\tsetup\tunable to start manager\t{\"error\": \"no\"}"},
		"klog":                   {"I1130 10:00:00.0 1 a.go:1] x\nF1130 10:00:00.0 1 a.go:1] no leases\n", "F1130 10:00:00.0 1 a.go:1] no leases"},
		"a panic":                {"x\npanic: freepages\n\ngoroutine 1 [running]:\nerrors.New(0x1)\n\t/go/errors.go:2\n", "panic: freepages"},
		"a fatal error of Go":    {"fatal error: all goroutines are asleep - deadlock!\n\ngoroutine 1 [select]:\n", "fatal error: all goroutines are asleep - deadlock!"},
		"log/slog":               {"time=1 level=INFO msg=a\ntime=2 level=error msg=\"no CRD\"\nbye\n", "time=2 level=error msg=\"no CRD\""},
		"a system's message":     {"mkdir /tmp/x: permission denied\nbye\n", "mkdir /tmp/x: permission denied"},
		"only indented lines":    {"\ta\n\tb\n", "b"},
		"a long line of zap":     {"ERROR\tReconciler error\t{\"name\": \"" + strings.Repeat("x", 500) + "\", \"error\": \"the \\\"tide\\\" is\\nlate\"}", `the "tide" is late`},
		"a long line of klog":    {"E1201 a.go:1] " + strings.Repeat("x", 500) + ` err="the tide is late"`, "the tide is late"},
		"a long line":            {strings.Repeat("é", 500), strings.Repeat("é", 300) + "…"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if got := Of(test.log); got != test.want {
				t.Errorf("Of(%q) = %q, want %q", test.log, got, test.want)
			}
		})
	}
}

func FuzzOf(f *testing.F) {
	f.Add("Error: unknown flag: --x\nUsage:\n  a")
	f.Add("\n \n\t\npanic: ")
	f.Fuzz(func(t *testing.T, log string) {
		got := Of(log)
		if strings.Contains(got, "\n") || utf8.RuneCountInString(got) > most+1 {
			t.Errorf("Of(%q) = %q, want one line of at most %d characters", log, got, most)
		}
	})
}
