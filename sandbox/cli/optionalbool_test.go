package cli

import (
	"testing"

	"github.com/spf13/pflag"

	"github.com/operator-tracing/sandbox/sandbox/session"
)

// --control-plane-tracing tells "not said" from "no".
func TestOptionalBool(t *testing.T) {
	for name, test := range map[string]struct {
		args    []string
		set, on bool
	}{
		"left out": {nil, false, false},
		"given":    {[]string{"--control-plane-tracing"}, true, true},
		"on":       {[]string{"--control-plane-tracing=true"}, true, true},
		"off":      {[]string{"--control-plane-tracing=false"}, true, false},
	} {
		t.Run(name, func(t *testing.T) {
			s := &shared{options: session.Options{}}
			flags := pflag.NewFlagSet("up", pflag.ContinueOnError)
			s.bindUp(flags)
			if err := flags.Parse(test.args); err != nil {
				t.Fatal(err)
			}
			got := s.options.ControlPlaneTracing
			if (got != nil) != test.set || got != nil && *got != test.on {
				t.Errorf("%q gives %v, want set %t and on %t", test.args, got, test.set, test.on)
			}
		})
	}
	var value *bool
	if err := (optionalBool{&value}).Set("perhaps"); err == nil || value != nil {
		t.Errorf("a value that is none gives %v, %v", value, err)
	}
}
