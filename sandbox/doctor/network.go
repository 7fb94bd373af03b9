package doctor

import (
	"strconv"
	"strings"
)

// ports finds out whether Jaeger's ports can be had. Only those that were asked for have to be.
func ports(f Facts) []Finding {
	var found []Finding
	var taken []string
	for _, p := range f.Ports {
		switch {
		case p.Err == nil:
		case p.Asked:
			found = append(found, problem(Modes(), "", "%v", p.Err)...) // The error has its remedy.
		default:
			taken = append(taken, strconv.Itoa(p.Number))
		}
	}
	switch {
	case len(f.Ports) == 0 || len(found) > 0:
	case len(taken) > 0:
		found = ok("on 127.0.0.1 something else has %s: Jaeger gets other ports (`sandbox status` says which)", join(taken))
	default:
		found = ok("Jaeger's are free")
	}
	return found
}

// proxy finds variables that no request can be sent by.
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

// registries finds out whether images can be pulled.
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
		found = append(found, ok("%s answer", join(answering))...)
	}
	return found
}

func registryRemedy(said string, f Facts) string {
	switch {
	case strings.Contains(said, "certificate"):
		return "add the certificate of your proxy to this machine's (SSL_CERT_FILE names another bundle), or use --images=source"
	case strings.Contains(said, "the proxy "):
		return "mend " + strings.Join(f.Proxy.Variables, ", ") + " (NO_PROXY leaves hosts out), or use --images=source"
	case strings.Contains(said, "401") || strings.Contains(said, "403"):
		return "docker login, or use --images=source"
	case strings.Contains(said, "429"):
		return "wait, docker login, or use --images=source"
	case len(f.Proxy.Variables) > 0:
		return "mend " + strings.Join(f.Proxy.Variables, ", ") + ", or use --images=source"
	}
	return "export HTTPS_PROXY=http://HOST:PORT if there is a proxy, or use --images=source"
}
