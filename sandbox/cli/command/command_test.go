package command

import (
	"fmt"
	"testing"
)

func TestShellWord(t *testing.T) {
	for word, want := range map[string]string{
		"/home/a/.local/state/x-1_y": "/home/a/.local/state/x-1_y", "/home/a b/c": "'/home/a b/c'", "/it's": `'/it'\''s'`, "$HOME": "'$HOME'", "/é/ü": "/é/ü",
	} {
		if got := ShellWord(word); got != want {
			t.Errorf("ShellWord(%q) = %s, want %s", word, got, want)
		}
	}
}

func ExampleShellQuote() {
	fmt.Println(ShellQuote("/home/user/it's here"))
	// Output: '/home/user/it'\''s here'
}

func Example_envName() {
	fmt.Println(envName("otlp-grpc-port"))
	// Output: SANDBOX_OTLP_GRPC_PORT
}
