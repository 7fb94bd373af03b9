package cli

import "strconv"

// optionalBool is a flag's value that knows whether it was given: where it points is nil until then.
type optionalBool struct{ value **bool }

// String implements pflag.Value; it is empty where the flag was not given.
func (b optionalBool) String() string {
	if b.value == nil || *b.value == nil {
		return ""
	}
	return strconv.FormatBool(**b.value)
}

// Set implements pflag.Value.
func (b optionalBool) Set(text string) error {
	value, err := strconv.ParseBool(text)
	if err != nil {
		return err.(*strconv.NumError).Err //nolint:errorlint,forcetypeassert // strconv says that it is one, and the caller names the text.
	}
	*b.value = &value
	return nil
}

// Type implements pflag.Value, for the help.
func (b optionalBool) Type() string { return "bool" }
