#!/usr/bin/env bash
# Real kubectl against the binary: starts a server, walks through what people do every day, checks each answer.
# Usage: kubectl.sh [path of the server binary]; without an argument the binary is built.
set -euo pipefail
cd "$(dirname "$0")/../.."

work=$(mktemp -d)
server=
cleanup() { [ -z "$server" ] || kill "$server" 2>/dev/null || true; wait 2>/dev/null || true; rm -rf "$work"; }
trap cleanup EXIT
fail() { echo "FAILED: $*"; echo "-- server log"; tail -40 "$work/server.log"; exit 1; }

if [ $# -gt 0 ]; then
  binary=$1
else
  cargo build --quiet -p kubewire-server-stub --bin kubewire-server-stub
  binary=${CARGO_TARGET_DIR:-target}/debug/kubewire-server-stub
fi

export KUBECONFIG=$work/kubeconfig
port=$(for port in $(shuf -i 20000-30000 -n 50); do (: </dev/tcp/127.0.0.1/"$port") 2>/dev/null || { echo "$port"; break; }; done)
"$binary" --secure-port "$port" --write-kubeconfig "$KUBECONFIG" >"$work/server.log" 2>&1 &
server=$!
for _ in $(seq 100); do [ -s "$KUBECONFIG" ] && kubectl get --raw /readyz >/dev/null 2>&1 && break; sleep 0.1; done
kubectl get --raw /readyz >/dev/null || fail "the server is not ready"

passed=0
# expect TEXT COMMAND…: the command succeeds and prints TEXT (an extended regular expression).
expect() {
  local want=$1 out
  shift
  out=$("$@" 2>&1) || fail "$* → $out"
  grep -Eq -- "$want" <<<"$out" || fail "$* did not print '$want' but: $out"
  passed=$((passed + 1))
}
# refuse TEXT COMMAND…: the command fails and says TEXT.
refuse() {
  local want=$1 out
  shift
  if out=$("$@" 2>&1); then fail "$* was expected to fail but printed: $out"; fi
  grep -Eq -- "$want" <<<"$out" || fail "$* did not say '$want' but: $out"
  passed=$((passed + 1))
}

expect 'Server Version: v1\.' kubectl version
expect '^deployments +deploy +apps/v1 +true +Deployment' kubectl api-resources
expect '^events\.k8s\.io/v1$' kubectl api-versions
expect 'kube-system +Active' kubectl get namespaces
expect 'No resources found' kubectl get pods -A
expect 'namespace/demo created' kubectl create namespace demo

cat >"$work/objects.yaml" <<'YAML'
apiVersion: v1
kind: Pod
metadata: {name: one, labels: {app: demo}}
spec:
  containers: [{name: main, image: "registry.example.com/demo:1"}]
---
apiVersion: v1
kind: ConfigMap
metadata: {name: one, labels: {app: demo}}
data: {greeting: hello}
---
apiVersion: v1
kind: Secret
metadata: {name: one, labels: {app: demo}}
stringData: {password: not-real}
---
apiVersion: v1
kind: Service
metadata: {name: one, labels: {app: demo}}
spec:
  selector: {app: demo}
  ports: [{port: 80, targetPort: 8080}]
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: one, labels: {app: demo}}
spec:
  replicas: 2
  selector: {matchLabels: {app: demo}}
  template:
    metadata: {labels: {app: demo}}
    spec:
      containers: [{name: main, image: "registry.example.com/demo:1"}]
---
apiVersion: batch/v1
kind: Job
metadata: {name: one, labels: {app: demo}}
spec:
  template:
    spec:
      restartPolicy: Never
      containers: [{name: main, image: "registry.example.com/demo:1"}]
YAML
kinds="pod configmap secret service deployment job"

for kind in $kinds; do
  kubectl get -n demo "$kind" -w --output-watch-events >"$work/watch-$kind" 2>"$work/watch-$kind.err" &
done
expect 'deployment.apps/one created' kubectl create -n demo -f "$work/objects.yaml"
refuse 'AlreadyExists' kubectl create -n demo -f "$work/objects.yaml"

for kind in $kinds; do
  expect 'one' kubectl get -n demo "$kind"
  expect 'resourceVersion: "[0-9]+"' kubectl get -n demo "$kind" one -o yaml
  expect '/one$' kubectl get -n demo "$kind" -l app=demo -o name
  expect 'No resources found' kubectl get -n demo "$kind" -l app=other
  expect '/one$' kubectl get -n demo "$kind" --field-selector metadata.name=one -o name
  # What `kubectl edit` does with the file it gets back, as a whole object …
  kubectl get -n demo "$kind" one -o yaml >"$work/$kind.yaml"
  sed -i 's/^  labels:$/&\n    edited: "yes"/' "$work/$kind.yaml"
  expect 'replaced' kubectl replace -n demo -f "$work/$kind.yaml"
  expect 'yes' kubectl get -n demo "$kind" one -o 'jsonpath={.metadata.labels.edited}'
  # … a stale one is refused …
  refuse 'Conflict|has been modified' kubectl replace -n demo -f "$work/$kind.yaml"
  # … and through an editor, which sends a strategic merge patch.
  EDITOR="sed -i s/edited:.*/edited:\ again/" expect 'edited' kubectl edit -n demo "$kind" one
  expect 'again' kubectl get -n demo "$kind" one -o 'jsonpath={.metadata.labels.edited}'
  expect 'patched' kubectl patch -n demo "$kind" one --type merge -p '{"metadata":{"annotations":{"note":"merge"}}}'
  expect 'patched' kubectl patch -n demo "$kind" one --type json -p '[{"op":"add","path":"/metadata/annotations/more","value":"json"}]'
  expect 'labeled' kubectl label -n demo "$kind" one tier=web
  expect 'NAME' kubectl get -n demo "$kind" -o wide
done

expect 'READY +STATUS +RESTARTS +AGE' kubectl get pods -A
expect 'hello' kubectl describe -n demo configmap one
expect 'Replicas: +2 desired' kubectl describe -n demo deployment one
expect 'created' kubectl apply -n demo -f - <<<'{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"applied"},"data":{"a":"1"}}'
expect 'configured' kubectl apply -n demo -f - <<<'{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"applied"},"data":{"a":"2"}}'
refuse 'NotFound' kubectl get -n demo pod nosuch
refuse 'unknown field|strict decoding' kubectl create -n demo -f - <<<'{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"x"},"bogus":1}'

# Who manages what.
config='{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"managed"},"data":{"a":"1"}}'
expect 'serverside-applied' kubectl apply -n demo --server-side --field-manager one -f - <<<"$config"
refuse 'conflict with "one": .data.a' kubectl apply -n demo --server-side --field-manager two -f - <<<"${config/\"1\"/\"2\"}"
expect 'serverside-applied' kubectl apply -n demo --server-side --field-manager two --force-conflicts -f - <<<"${config/\"1\"/\"2\"}"
expect '"f:a":\{\}' kubectl get --raw /api/v1/namespaces/demo/configmaps/managed
expect '^-  a: "2"' bash -c 'kubectl diff -n demo -f - || true' <<<"${config/\"1\"/\"3\"}"

# Who may do what.
expect '^yes$' kubectl auth can-i delete nodes
expect '^no$' bash -c 'kubectl auth can-i list pods -n demo --as ann || true'
expect 'created' kubectl create rolebinding -n demo readers --clusterrole system:aggregate-to-view --user ann
for _ in $(seq 50); do kubectl auth can-i list pods -n demo --as ann >/dev/null && break; sleep 0.1; done
expect '^yes$' kubectl auth can-i list pods -n demo --as ann
refuse 'User "ann" cannot list resource "secrets"' kubectl get secrets -n demo --as ann
expect 'kubernetes-admin' kubectl auth whoami

# What the documentation says, and what needs a node.
expect 'scheduled' kubectl explain pod.spec.nodeName
expect 'etcd-0' kubectl get componentstatuses
expect '^$' kubectl logs -n demo one
refuse 'pod one does not have a host assigned' kubectl exec -n demo one -- true
refuse 'container nosuch is not valid for pod one' kubectl logs -n demo one -c nosuch
expect 'restarted' kubectl rollout restart -n demo deployment one
expect 'image updated' kubectl set image -n demo deployment one main=registry.example.com/demo:2
refuse 'timed out' kubectl wait -n demo --for condition=Ready pod one --timeout 200ms
expect '\[\+\]informer-sync ok' kubectl get --raw '/readyz?verbose'

# Subresources.
expect 'deployment.apps/one scaled' kubectl scale -n demo deployment one --replicas 5
expect '^5$' kubectl get -n demo deployment one -o 'jsonpath={.spec.replicas}'
expect '"selector":"app=demo"' kubectl get --raw /apis/apps/v1/namespaces/demo/deployments/one/scale
refuse 'must be greater than or equal to 0' kubectl patch -n demo deployment one --subresource scale --type merge -p '{"spec":{"replicas":-1}}'
binding='{"apiVersion":"v1","kind":"Binding","metadata":{"name":"one"},"target":{"kind":"Node","name":"node-1"}}'
expect '"status":"Success"' kubectl create --raw /api/v1/namespaces/demo/pods/one/binding -f - <<<"$binding"
refuse 'already assigned to node' kubectl create --raw /api/v1/namespaces/demo/bindings -f - <<<"$binding"
expect '^node-1$' kubectl get -n demo pod one -o 'jsonpath={.spec.nodeName}'
expect 'ephemeralcontainers|patched' kubectl patch -n demo pod one --subresource ephemeralcontainers -p '{"spec":{"ephemeralContainers":[{"name":"debug","image":"busybox"}]}}'

# What a new object is checked for, and given.
lease='{"apiVersion":"coordination.k8s.io/v1","kind":"Lease","metadata":{"name":"l"}}'
refuse 'namespaces "nosuch" not found' kubectl replace --raw /apis/coordination.k8s.io/v1/namespaces/nosuch/leases/l -f - <<<"$lease"
expect '"name":"l"' kubectl replace --raw /apis/coordination.k8s.io/v1/namespaces/demo/leases/l -f - <<<"$lease"
expect '^2000001000$' kubectl get priorityclass system-node-critical -o 'jsonpath={.value}'
refuse 'namespaces "nosuch" not found' kubectl create -n nosuch configmap x
refuse 'spec.ports: Required value' kubectl create -n demo -f - <<<'{"apiVersion":"v1","kind":"Service","metadata":{"name":"none"},"spec":{}}'
expect 'service/web created' kubectl create -n demo service nodeport web --tcp 80
expect '^10\.0\.0\.[0-9]+ 3[0-9]+$' kubectl get -n demo service web -o 'jsonpath={.spec.clusterIP} {.spec.ports[0].nodePort}'
refuse 'may not change once set' kubectl patch -n demo service web -p '{"spec":{"clusterIP":"10.0.0.250","clusterIPs":["10.0.0.250"]}}'
expect 'deleted' kubectl delete -n demo service web
refuse 'expected exactly 5 fields' kubectl create -n demo cronjob x --image i --schedule 'now and then'

for kind in $kinds; do
  expect 'deleted' kubectl delete -n demo "$kind" one --force --grace-period 0
  refuse 'NotFound' kubectl get -n demo "$kind" one
  for _ in $(seq 50); do grep -q '^DELETED' "$work/watch-$kind" && break; sleep 0.1; done
  for event in ADDED MODIFIED DELETED; do
    grep -q "^$event" "$work/watch-$kind" || fail "kubectl get $kind -w did not show $event: $(cat "$work/watch-$kind" "$work/watch-$kind.err")"
  done
  passed=$((passed + 1))
done

# Custom resources: from their definition to its end.
cat >"$work/crd.yaml" <<'YAML'
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: crontabs.stable.example.com}
spec:
  group: stable.example.com
  scope: Namespaced
  names: {plural: crontabs, kind: CronTab, shortNames: [ct], categories: [all]}
  versions:
    - name: v1
      served: true
      storage: true
      schema:
        openAPIV3Schema:
          type: object
          properties:
            spec:
              type: object
              required: [cronSpec]
              properties:
                cronSpec: {type: string, description: When it runs., minLength: 9}
                replicas: {type: integer, default: 1}
                image: {type: string}
            status: {type: object, properties: {replicas: {type: integer}}}
      subresources:
        status: {}
        scale: {specReplicasPath: .spec.replicas, statusReplicasPath: .status.replicas}
      additionalPrinterColumns:
        - {name: Spec, type: string, jsonPath: .spec.cronSpec}
YAML
cat >"$work/crontab.yaml" <<'YAML'
apiVersion: stable.example.com/v1
kind: CronTab
metadata: {name: one}
spec: {cronSpec: "* * * * */5", image: "registry.example.com/demo:1"}
YAML
expect 'crontabs.stable.example.com created' kubectl apply -f "$work/crd.yaml"
expect 'condition met' kubectl wait --for condition=established --timeout 30s crd/crontabs.stable.example.com
expect 'When it runs' kubectl explain crontab.spec.cronSpec
expect '^crontabs +ct +stable.example.com/v1 +true +CronTab' kubectl api-resources
refuse 'unknown field "spec.nosuch"' kubectl create -n demo -f - <<<'{"apiVersion":"stable.example.com/v1","kind":"CronTab","metadata":{"name":"x"},"spec":{"cronSpec":"* * * * *","nosuch":1}}'
refuse 'spec.cronSpec in body should be at least 9 chars long' kubectl create -n demo -f - <<<'{"apiVersion":"stable.example.com/v1","kind":"CronTab","metadata":{"name":"x"},"spec":{"cronSpec":"now"}}'
expect 'crontab.stable.example.com/one created' kubectl apply -n demo -f "$work/crontab.yaml"
expect 'serverside-applied' kubectl apply -n demo --server-side --force-conflicts -f "$work/crontab.yaml"
expect '^one +\* \* \* \* \*/5' kubectl get -n demo ct
expect 'Cron Spec: +\* \* \* \* \*/5' kubectl describe -n demo ct one
expect 'patched' kubectl patch -n demo ct one --type merge -p '{"spec":{"image":"registry.example.com/demo:2"}}'
expect 'scaled' kubectl scale -n demo ct one --replicas 3
expect '^3 registry.example.com/demo:2$' kubectl get -n demo ct one -o 'jsonpath={.spec.replicas} {.spec.image}'
refuse '\+ *image: registry.example.com/demo:1' kubectl diff -n demo -f "$work/crontab.yaml"
expect 'crontab.stable.example.com/one ' kubectl get -n demo all
expect 'deleted' kubectl delete --timeout 30s crd crontabs.stable.example.com
refuse 'NotFound|not found|resource type' kubectl get -n demo ct

kill -TERM "$server"
wait "$server" || fail "the server did not end with status 0 on SIGTERM"
server=
echo "$passed passed, 0 failed"
