package goflags

import (
	"strings"
	"testing"
)

func TestCheck(t *testing.T) {
	t.Parallel()
	allowed := []string{
		"-tags=a", "-tags=a,b_c", "-tags=", "--tags=a", "-race", "-trimpath", "-trimpath=false", "-v", "-mod=vendor", "-mod=readonly", "-buildvcs=false",
		"-cover", "-covermode=atomic", "-coverpkg=./...,example.com/a", "-modfile=tools/go.mod", "-buildmode=pie", "-p=2", "-pgo=off",
		"-ldflags=-s -w", "-ldflags=-X main.version=v1", "-ldflags=-X=main.version=v1", "-ldflags=-X 'main.version=a -extld=b'", `-ldflags="-s" -w`, "-ldflags=all=-s", "-ldflags=",
		"-ldflags=-s -w -X example.com/a.b=-extld", "-gcflags=all=-N -l", "-gcflags=example.com/...=-m=2", "-gcflags=-N",
	}
	for _, flag := range allowed {
		if err := Check(flag); err != nil {
			t.Errorf("Check(%q) = %v, want nil", flag, err)
		}
	}
	refused := []string{
		"-toolexec=/bin/sh", "--toolexec=sh -c id", "-toolexec", "-exec=x", "-overlay=a.json", "-modfile=../go.mod", "-modfile=/etc/go.mod", "-modfile=", "-C=/", "-C", "-o=/etc/passwd", "-o", "-pkgdir=x",
		"-asmflags=-o=x", "-gccgoflags=x", "-compiler=gccgo", "-installsuffix=x", "-work", "-n", "-json", "-linkshared", "-buildmode=plugin", "-modcacherw", "-pgo=/dev/zero",
		"-buildvcs", "-buildvcs=true", "-buildvcs=auto", "--buildvcs=true", "-asan", "-msan", "-debug-trace=/tmp/x", "-debug-actiongraph=/tmp/x", "-vet=off",
		"-ldflags=-extld=/tmp/x", "-ldflags=-s -extld=x", "-ldflags=--extld x", "-ldflags=-linkmode=external", "-ldflags=-linkmode external", "-ldflags=-extldflags=x", "-ldflags='-extld' x", "-ldflags=all=-extld=x",
		"-ldflags=-o=x", "-ldflags=-cpuprofile=x", "-ldflags=-X a=b -extld=c", "-ldflags=-X=a=b c", "-ldflags=-s stray", `-ldflags="-s`, "-ldflags=-r=/tmp", "-ldflags", "-ldflags=a b=-s", "-ldflags=-tmpdir=x",
		"-gcflags=-o=x", "-gcflags=all=-cpuprofile=x", "-gcflags=-N -asmhdr=x", "-gcflags=-embedcfg=x", "-gcflags=-linkobj=x",
		"-tags", "-tags=a\nb", "-mod=x", "-p=x", "-race=maybe", "", "a", "-", "--", "---tags=a", "-=x", "-TOOLEXEC=x",
	}
	for _, flag := range refused {
		if err := Check(flag); err == nil {
			t.Errorf("Check(%q) = nil, want an error", flag)
		}
	}
}

// A flag that Check accepts contains no forbidden word outside of a value of -X.
func FuzzCheck(f *testing.F) {
	for _, seed := range []string{"-ldflags=-s -extld=x", "-ldflags=-X 'a=b' -w", "-gcflags=all=-N", "-toolexec=x", "-tags=a"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, flag string) {
		if Check(flag) != nil {
			return
		}
		if name, _, _ := strings.Cut(flag, "="); strings.Contains(name, "exec") || strings.Contains(name, "overlay") {
			t.Errorf("Check(%q) = nil, want an error", flag)
		}
		if strings.Contains(flag, "-extld") && !strings.Contains(flag, "X") && !strings.HasPrefix(flag, "-tags") && !strings.HasPrefix(flag, "-coverpkg") && !strings.HasPrefix(flag, "--tags") && !strings.Contains(flag, "modfile") && !strings.HasPrefix(flag, "--coverpkg") {
			t.Errorf("Check(%q) = nil, want an error", flag)
		}
	})
}
