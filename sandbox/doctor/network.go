package doctor

import (
	"strconv"
	"strings"

	"github.com/operator-tracing/sandbox/sandbox/hint"
)

// ports checks whether the ports of Jaeger are free. Only requested ports must be.
func ports(f Facts) []Finding {
	var found []Finding
	var taken []string
	for _, p := range f.Ports {
		switch {
		case p.Err == nil:
		case p.Asked:
			found = append(found, problem(Modes(), "", "%v", p.Err)...) // The error contains the remedy.
		default:
			taken = append(taken, strconv.Itoa(p.Number))
		}
	}
	switch {
	case len(f.Ports) == 0 || len(found) > 0:
	case len(taken) > 0:
		found = ok("%s in use on 127.0.0.1: Jaeger gets other ports; see %s", join(taken), hint.Run("status"))
	default:
		found = ok("the ports of Jaeger are free")
	}
	return found
}

func proxy(f Facts) []Finding {
	p := f.Proxy
	switch {
	case p.Err != nil:
		return problem([]Mode{KindByRegistry}, "set it to http://HOST:PORT, or unset it", "%v", p.Err)
	case len(p.Variables) > 0:
		return ok("%s %s set", strings.Join(p.Variables, ", "), map[bool]string{true: "is", false: "are"}[len(p.Variables) == 1])
	}
	return nil
}

func registries(f Facts) []Finding {
	var found []Finding
	var answering []string
	for _, r := range f.Registries {
		if r.Err == nil {
			answering = append(answering, r.Host)
			continue
		}
		found = append(found, problem([]Mode{KindByRegistry}, registryRemedy(r.Err.Error(), f), "%s: %v", r.Host, r.Err)...)
	}
	if len(answering) > 0 {
		found = append(found, ok("reachable: %s", join(answering))...)
	}
	return found
}

func registryRemedy(message string, f Facts) string {
	switch {
	case strings.Contains(message, "certificate"):
		return "trust the certificate of your proxy on this machine (or set SSL_CERT_FILE to a bundle with it), or use --images=source"
	case strings.Contains(message, "the proxy "):
		return "correct " + strings.Join(f.Proxy.Variables, ", ") + " (NO_PROXY excludes hosts), or use --images=source"
	case strings.Contains(message, "401") || strings.Contains(message, "403"):
		return "run `docker login`, or use --images=source"
	case strings.Contains(message, "429"):
		return "wait, run `docker login`, or use --images=source"
	case len(f.Proxy.Variables) > 0:
		return "correct " + strings.Join(f.Proxy.Variables, ", ") + ", or use --images=source"
	}
	return "if you need a proxy, export HTTPS_PROXY=http://HOST:PORT; or use --images=source"
}
