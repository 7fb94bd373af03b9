// Package settings sets a program's flags from environment variables and from a YAML file, and
// records which source set which option. Its errors carry the options that they are about.
package settings

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/pflag"
	"go.yaml.in/yaml/v3"
)

// FileFlag is the name of the flag for the path of the YAML file.
const FileFlag = "config"

// Sources are the sources of options besides the command line.
type Sources struct {
	// Variable returns the environment variable of a flag, or "" if the flag has none.
	Variable func(flag string) string
	// Lookup returns the value of a variable, as [os.LookupEnv] does. Empty values are ignored.
	Lookup func(variable string) (value string, set bool)
	// Known are the keys that a file may have; default the names of the flags. If the commands of a
	// program share a file, they are the flags of all commands.
	Known []string
	// Hint, if not nil, returns a suffix for the error about an unknown key.
	Hint func(key string, known []string) string
	// Read reads the file; default [os.ReadFile].
	Read func(path string) ([]byte, error)
}

// Fill sets the flags that the command line has not set: from the environment, then from the file
// that the flag [FileFlag] names. It returns the origins of the options that it set. The first
// mistake ends it; the error names the variable, or the line of the file.
func (s Sources) Fill(flags *pflag.FlagSet) (Origins, error) {
	origins := Origins{}
	var first error
	flags.VisitAll(func(f *pflag.Flag) {
		variable := s.Variable(f.Name)
		if f.Changed || variable == "" || first != nil {
			return
		}
		if value, _ := s.Lookup(variable); value != "" {
			if err := origins.set(flags, f.Name, variable, value); err != nil {
				first = fmt.Errorf("reading options from %s: %w", variable, err)
			}
		}
	})
	if file := flags.Lookup(FileFlag); first == nil && file != nil && file.Value.String() != "" {
		first = s.fillFromFile(flags, file.Value.String(), origins)
	}
	return origins, first
}

func (s Sources) fillFromFile(flags *pflag.FlagSet, path string, origins Origins) error {
	read := s.Read
	if read == nil {
		read = os.ReadFile
	}
	data, err := read(path)
	if err != nil {
		return fmt.Errorf("reading options from --%s: %w", FileFlag, err)
	}
	root, err := parse(data)
	if err != nil {
		return fmt.Errorf("reading options from %s: %w", path, err)
	}
	known := slices.Clone(s.Known)
	if known == nil {
		flags.VisitAll(func(f *pflag.Flag) { known = append(known, f.Name) })
	}
	known = slices.DeleteFunc(known, func(name string) bool { return name == FileFlag })
	seen := map[string]bool{}
	for option := range slices.Chunk(root.Content, 2) {
		key, at := option[0].Value, fmt.Sprintf("%s:%d", path, option[0].Line)
		f := flags.Lookup(key)
		switch {
		case !slices.Contains(known, key):
			err = fmt.Errorf("unknown option %q", key)
			if s.Hint != nil {
				err = fmt.Errorf("%w%s", err, s.Hint(key, known))
			}
		case seen[key]:
			err = fmt.Errorf("repeated option %q", key)
		case f != nil && !f.Changed && option[1].ShortTag() != "!!null":
			err = origins.setNode(f, flags, at, option[1])
		}
		if err != nil {
			return fmt.Errorf("reading options from %s: %w", at, err)
		}
		seen[key] = true
	}
	return nil
}

// parse returns a YAML map, which is empty if the file is.
func parse(data []byte) (*yaml.Node, error) {
	var document yaml.Node
	if err := yaml.Unmarshal(data, &document); err != nil {
		return nil, errors.New(strings.Join(strings.Fields(err.Error()), " "))
	}
	switch {
	case len(document.Content) == 0 || document.Content[0].ShortTag() == "!!null":
		return &yaml.Node{}, nil
	case document.Content[0].Kind != yaml.MappingNode:
		return nil, errors.New("use a map, one option: value to a line")
	}
	return document.Content[0], nil
}

// Origins has the origin of each option that is not from the command line: the environment variable,
// or the path and line of the file. Options with their default values have no origin either.
type Origins map[string]string

// setNode sets a flag to a value or a list of a file. Values stay as they are written, except that
// YAML has more words for true and false than strconv. Only flags with several values take a list. A
// flag of the standard library with a function gets the items separated by commas.
func (o Origins) setNode(f *pflag.Flag, flags *pflag.FlagSet, origin string, node *yaml.Node) error {
	_, several := f.Value.(pflag.SliceValue)
	function := f.Value.Type() == "func"
	var list []string
	var value string
	var truth bool
	switch {
	case (several || function) && node.Decode(&list) == nil:
		if function {
			list = []string{strings.Join(list, ",")}
		}
		return o.set(flags, f.Name, origin, list...)
	case f.Value.Type() == "bool" && node.Decode(&truth) == nil:
		value = strconv.FormatBool(truth)
	case node.Decode(&value) != nil:
		return fmt.Errorf("%s: use a single value", f.Name)
	}
	return o.set(flags, f.Name, origin, value)
}

func (o Origins) set(flags *pflag.FlagSet, name, origin string, values ...string) error {
	for _, value := range values {
		if err := flags.Set(name, value); err != nil {
			return Plain(err)
		}
		o[name] = origin
	}
	return nil
}

// Explain appends the origins of the options that an [Error] is about. It returns other errors
// unchanged, also if all options are from the command line.
func (o Origins) Explain(err error) error {
	var mistake *Error
	if !errors.As(err, &mistake) {
		return err
	}
	var origins []string
	for _, option := range mistake.Options {
		if origin := o[option.Name]; origin != "" {
			origins = append(origins, fmt.Sprintf("--%s comes from %s", option.Name, origin))
		}
	}
	if origins == nil {
		return err
	}
	return fmt.Errorf("%w (%s)", err, strings.Join(origins, ", "))
}
