package observe

import "testing"

// Which writes of a loop belong to one reconcile.
func TestSameReconcile(t *testing.T) {
	t.Parallel()
	const learned = `
   0.0 1 ADDED Head h kubectl
  10.0 2 ADDED ChildA a operator owner=Head/h
  15.0 3 MODIFIED Head h operator:status Ready=False
 100.0 4 ADDED Head i kubectl
`
	const learnedCauses = `
kubectl create Head@1
operator create ChildA@2 <- same Head@1
operator update_status Head@3 <- same Head@1
kubectl create Head@4
operator create ChildA@5 <- same Head@4
`
	for name, test := range map[string]struct{ stream, want string }{
		"by habit, although another controller wrote": {learned + `
 110.0 5 ADDED ChildA b operator owner=Head/i
 112.0 6 MODIFIED ChildA b other:status Seen=True
 115.0 7 MODIFIED Head i operator:status Ready=False
 200.0 8 MODIFIED ChildA b other:status Ready=True
 210.0 9 MODIFIED Head i operator:status Ready=True
`, learnedCauses + `other update_status ChildA@6 <- same ChildA@5
operator update_status Head@7 <- same Head@4
other update_status ChildA@8 <- same ChildA@5
operator update_status Head@9 <- owner ChildA@8
`},
		"no habit if other writes are between as often": {learned + `
 110.0 5 ADDED ChildA b operator owner=Head/i
 112.0 6 MODIFIED ChildA b other:status Ready=True
 115.0 7 MODIFIED Head i operator:status Ready=True
 200.0 8 ADDED Head j kubectl
 210.0 9 ADDED ChildA c operator owner=Head/j
 212.0 10 MODIFIED ChildA c other:status Ready=True
 215.0 11 MODIFIED Head j operator:status Ready=True
`, learnedCauses + `other update_status ChildA@6 <- same ChildA@5
operator update_status Head@7 <- same Head@4
kubectl create Head@8
operator create ChildA@9 <- same Head@8
other update_status ChildA@10 <- same ChildA@9
operator update_status Head@11 <- owner ChildA@10
`},
		"no habit after a pause": {learned + `
 110.0 5 ADDED ChildA b operator owner=Head/i
 112.0 6 MODIFIED ChildA b other:status Seen=True
2115.0 7 MODIFIED Head i operator:status Ready=False
`, learnedCauses + `other update_status ChildA@6 <- same ChildA@5
operator update_status Head@7 <- owner ChildA@6
`},
		"no habit of another controller": {learned + `
 110.0 5 ADDED ChildA b operator owner=Head/i
 111.0 6 ADDED Secret s second owner=ChildA/b
 112.0 7 MODIFIED ChildA b operator:status Ready=True
 115.0 8 MODIFIED Head i operator:status Ready=False
 120.0 9 MODIFIED Secret s second type.a=b
 125.0 10 MODIFIED ChildA b second:status Done=True
`, learnedCauses + `second create Secret@6 <- same ChildA@5
operator update_status ChildA@7 <- owner Secret@6
operator update_status Head@8 <- same Head@4
second update Secret@9 <- same ChildA@7
second update_status ChildA@10 <- same ChildA@7
`},
		"the user deletes a dependent right after a change": {`
   0.0 1 LISTED Head h kubectl
   0.0 2 LISTED ChildA a operator owner=Head/h
   1.0 3 ADDED Deployment d operator owner=ChildA/a
  10.0 4 MODIFIED Deployment d other:status Available=True
  20.0 5 DELETED Deployment d -
  30.0 6 ADDED Deployment d operator owner=ChildA/a
  35.0 7 MODIFIED ChildA a operator:status Ready=False
`, `
operator create Deployment@3
other update_status Deployment@4 <- same Deployment@3
 remove Deployment@5 <- owner Deployment@4
operator create Deployment@6 <- owner Deployment@5
operator update_status ChildA@7 <- owner Deployment@5
`},
		"the same status again, because of a write during the last reconcile": {learned + `
 110.0 5 ADDED ChildA b operator owner=Head/i
 112.0 6 MODIFIED ChildA b other:status Ready=True
 115.0 7 MODIFIED Head i operator:status Ready=False
 118.0 8 MODIFIED Head i operator:status Ready=True
`, learnedCauses + `other update_status ChildA@6 <- same ChildA@5
operator update_status Head@7 <- same Head@4
operator update_status Head@8 <- owner ChildA@6
`},
		"the node deletes a Pod for the second time": {`
   0.0 1 LISTED ReplicaSet r kube-controller-manager
   0.0 2 LISTED Pod p kube-controller-manager owner=ReplicaSet/r spec.nodeName=node
  10.0 3 MODIFIED Pod p - deleting=+
  20.0 4 MODIFIED Pod p kubelet:status Ready=False
  30.0 5 MODIFIED Pod p - metadata.deletionGracePeriodSeconds=0
  40.0 6 DELETED Pod p -
`, `
 delete Pod@3
kubelet update_status Pod@4 <- same Pod@3
kubelet update Pod@5 <- sequence Pod@4
kubelet remove Pod@6 <- sequence Pod@5
`},
		"an operator annotates a Pod of its Deployment": {`
   0.0 1 ADDED Head h kubectl
  10.0 2 ADDED Deployment d operator owner=Head/h
  20.0 3 ADDED ReplicaSet r kube-controller-manager owner=Deployment/d
  30.0 4 ADDED Pod p kube-controller-manager owner=ReplicaSet/r
  40.0 5 MODIFIED Deployment d other:status Available=True
  50.0 6 MODIFIED Pod p operator metadata.annotations.a=b
  60.0 7 MODIFIED Pod p kubectl metadata.annotations.a=c
`, `
kubectl create Head@1
operator create Deployment@2 <- same Head@1
deployment-controller create ReplicaSet@3 <- same Deployment@2
replicaset-controller create Pod@4 <- same ReplicaSet@3
other update_status Deployment@5 <- owner ReplicaSet@3
operator update Pod@6 <- owner Deployment@5
kubectl update Pod@7
`},
		"the second Pod of a ReplicaSet, after the first was bound": {`
   0.0 1 ADDED Deployment d kubectl
  10.0 2 ADDED ReplicaSet r kube-controller-manager owner=Deployment/d
  20.0 3 ADDED Pod p kube-controller-manager owner=ReplicaSet/r
  22.0 4 MODIFIED Pod p - spec.nodeName=n
  24.0 5 ADDED Pod q kube-controller-manager owner=ReplicaSet/r
`, `
kubectl create Deployment@1
deployment-controller create ReplicaSet@2 <- same Deployment@1
replicaset-controller create Pod@3 <- same ReplicaSet@2
kube-scheduler bind Pod@4 <- same Pod@3
replicaset-controller create Pod@5 <- same ReplicaSet@2
`},
		"owners in a cycle": {`
   0.0 1 ADDED Deployment d x owner=Head/h
   1.0 2 ADDED Head h y owner=Deployment/d
  10.0 3 MODIFIED Deployment d operator type.a=b
`, `
x create Deployment@1
y create Head@2 <- same Deployment@1
operator update Deployment@3
`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			newStream(t).wantCauses(test.stream, test.want)
		})
	}
}
