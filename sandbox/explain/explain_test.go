package explain_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/operator-tracing/sandbox/sandbox/explain"
)

// head is a Head of the reference operator, observed: the library's spans and the observer's.
const head = `
a1 -  sandbox  CLIENT   apply~Head              0   10  name=h uid=H rv=10
a2 a1 operator SERVER   admit~Head              3   6   name=h
r1 a2 operator CONSUMER reconcile~Head          12  30  name=h uid=H trigger=create~Head cause.kind=Head cause.ns=default cause.name=h cause.uid=H cause.rv=10 queue=1 intent=desired_state,status
w1 r1 operator PRODUCER create~ChildA           14  20  name=c uid=C rv=11
s1 r1 operator CLIENT   update_status~Head      22  29  kind=Head name=h uid=H rv=12 event=Ready:~Unknown→False
r2 w1 operator CONSUMER reconcile~ChildA        21  40  name=c uid=C trigger=create~ChildA cause.kind=ChildA cause.ns=default cause.name=c cause.uid=C cause.rv=11 cause.span=w1 queue=0.5 intent=desired_state
w2 r2 operator PRODUCER create~Deployment       25  35  name=d uid=D rv=13 writelimiter=4
o1 w2 deployment-controller observed create~ReplicaSet 36 50 name=d-1 uid=R rv=14 certainty=same cause.kind=Deployment cause.ns=default cause.name=d cause.uid=D cause.rv=13
o2 o1 replicaset-controller observed create~Pod        50 60 name=d-1-x uid=P rv=15 certainty=same cause.kind=ReplicaSet cause.ns=default cause.name=d-1 cause.uid=R cause.rv=14
o3 o2 kube-scheduler        observed bind~Pod          60 80 name=d-1-x uid=P rv=16 certainty=same cause.kind=Pod cause.ns=default cause.name=d-1-x cause.uid=P cause.rv=15
o4 o3 kubelet               observed start~Pod         80 1080 name=d-1-x uid=P rv=19 certainty=same cause.kind=Pod cause.ns=default cause.name=d-1-x cause.uid=P cause.rv=16 event=Ready:~False→True
k1 o4 kubelet               observed update_status~Pod 80 90   kind=Pod name=d-1-x uid=P rv=17 certainty=same cause.uid=P cause.rv=16
k2 o4 kubelet               observed sandbox~Pod       90 180  name=d-1-x uid=P rv=18 certainty=sequence cause.uid=P cause.rv=17
c1 o4 kubelet               observed pull~container    180 980  kind=Pod name=d-1-x uid=P container=web
c2 o4 kubelet               observed create~container  980 1000 kind=Pod name=d-1-x uid=P container=web
c3 o4 kubelet               observed start~container   1000 1010 kind=Pod name=d-1-x uid=P container=web
c4 o4 kubelet               observed probe~container   1010 1080 kind=Pod name=d-1-x uid=P container=web
o5 o4 replicaset-controller observed update_status~ReplicaSet 1080 1090 kind=ReplicaSet name=d-1 uid=R rv=20 certainty=owner cause.kind=Pod cause.ns=default cause.name=d-1-x cause.uid=P cause.rv=19
o6 o5 deployment-controller observed update_status~Deployment 1090 1100 kind=Deployment name=d uid=D rv=21 certainty=owner cause.kind=ReplicaSet cause.ns=default cause.name=d-1 cause.uid=R cause.rv=20 event=Available:~False→True
r3 w1 operator CONSUMER reconcile~ChildA        1105 1120 name=c uid=C trigger=update_Deployment cause.kind=Deployment cause.ns=default cause.name=d cause.uid=D cause.rv=21 queue=1 intent=status
s3 r3 operator CLIENT   update_status~ChildA    1110 1118 kind=ChildA name=c uid=C rv=22 event=Ready:~False→True
r4 a2 operator CONSUMER reconcile~Head          1120 1140 name=h uid=H trigger=update_ChildA cause.kind=ChildA cause.ns=default cause.name=c cause.uid=C cause.rv=22 cause.span=s3 intent=status
s4 r4 operator CLIENT   update_status~Head      1130 1138 kind=Head name=h uid=H rv=23 event=Ready:~False→True
z1 a2 operator INTERNAL converge~Head           3    1137 name=h uid=H
`

func TestPath(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct{ trace, want string }{
		"observed": {head, `
0s  3ms  sandbox  API write  Head h  apply Head
3ms  3ms  operator  webhook  Head h  admit Head
6ms  4ms  sandbox  API write  Head h  apply Head
10ms  1ms  operator  watch latency  Head h
11ms  1ms  operator  queue  Head h
12ms  2ms  operator  own code  Head h
14ms  6ms  operator  API write  ChildA c  create ChildA
20ms  500µs  operator  watch latency  ChildA c
20.5ms  500µs  operator  queue  ChildA c
21ms  4ms  operator  own code  ChildA c
25ms  4ms  operator  client rate limiter  Deployment d  create Deployment
29ms  6ms  operator  API write  Deployment d  create Deployment
35ms  1ms  deployment-controller  watch latency  Deployment d
36ms  14ms  deployment-controller  reaction  ReplicaSet d-1  create ReplicaSet
50ms  10ms  replicaset-controller  reaction  Pod d-1-x  create Pod
60ms  20ms  kube-scheduler  reaction  Pod d-1-x  bind Pod
80ms  10ms  kubelet  waiting  Pod d-1-x  starting
90ms  90ms  kubelet  waiting  Pod d-1-x  creating sandbox and network
180ms  800ms  kubelet  waiting  Pod d-1-x  pulling image
980ms  20ms  kubelet  waiting  Pod d-1-x  creating container
1s  10ms  kubelet  waiting  Pod d-1-x  starting container
1.01s  70ms  kubelet  waiting  Pod d-1-x  waiting for probes
1.08s  10ms  replicaset-controller  reaction  ReplicaSet d-1  update_status ReplicaSet
1.09s  10ms  deployment-controller  reaction  Deployment d  update_status Deployment
1.1s  4ms  operator  watch latency  Deployment d
1.104s  1ms  operator  queue  ChildA c
1.105s  5ms  operator  own code  ChildA c
1.11s  8ms  operator  API write  ChildA c  update_status ChildA
1.118s  2ms  operator  watch latency  ChildA c
1.12s  10ms  operator  own code  Head h
1.13s  8ms  operator  API write  Head h  update_status Head
`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			e := explained(t, parse(t, test.trace), explain.Options{})
			if got, want := pathOf(e), strings.TrimPrefix(test.want, "\n"); got != want {
				t.Errorf("path of %s (%s):\n%s\nwant\n%s", e.Object, e.Condition, got, want)
			}
		})
	}
}

func TestOfErrors(t *testing.T) {
	t.Parallel()
	if _, err := explain.Of(nil, explain.Options{}); !errors.Is(err, explain.ErrNoSpans) {
		t.Errorf("Of(nil) = %v, want %v", err, explain.ErrNoSpans)
	}
}
