package settings

import (
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/spf13/pflag"
)

// Option is the name of an option, without dashes, and its value.
type Option struct{ Name, Value string }

// String returns the option as a command line has it. Values with spaces or control characters are
// quoted, and so is an empty value.
func (o Option) String() string {
	value := strconv.Quote(o.Value)
	if value == `"`+o.Value+`"` && o.Value != "" && !strings.Contains(o.Value, " ") {
		value = o.Value
	}
	return "--" + o.Name + "=" + value
}

// Options are the options that an error is about.
type Options []Option

// Given returns an option for an error.
func Given(name string, value any) Options { return Options(nil).And(name, value) }

// And returns the options and one more.
func (o Options) And(name string, value any) Options {
	return append(o, Option{Name: name, Value: fmt.Sprint(value)})
}

// Errorf returns an [Error] about the options. Format and its arguments are the problem.
func (o Options) Errorf(format string, args ...any) error {
	return &Error{Options: o, Err: fmt.Errorf(format, args...)}
}

// Error is a mistake in the values of options. Its text is "--option=value: problem".
type Error struct {
	Options Options
	Err     error // the problem
}

// Error implements error.
func (e *Error) Error() string {
	words := make([]string, len(e.Options))
	for i, option := range e.Options {
		words[i] = option.String()
	}
	return strings.Join(words, " ") + ": " + e.Err.Error()
}

// Unwrap returns the problem.
func (e *Error) Unwrap() error { return e.Err }

// wanted has a description of the values of a flag, by its type.
var wanted = map[string]string{
	"int":            "use a number",
	"bool":           "use true or false",
	"duration":       "use a time with its unit, for example 90s or 5m",
	"stringToString": "use NAME=VALUE",
}

// Plain replaces pflag's error about the value of a flag with an [Error], which describes valid
// values instead of the failure to parse this one. It returns other errors unchanged.
func Plain(err error) error {
	var invalid *pflag.InvalidValueError
	if !errors.As(err, &invalid) {
		return err
	}
	given := Given(invalid.GetFlag().Name, invalid.GetValue())
	if text := wanted[invalid.GetFlag().Value.Type()]; text != "" {
		return given.Errorf("%s", text)
	}
	return given.Errorf("%w", invalid.Unwrap())
}
