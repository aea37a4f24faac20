"""kubernetes.py FILE... : checks that the objects in the files fit together, and prints the relay's configuration.

Each selector finds pods; each volume that is mounted exists; each named port exists; each ConfigMap and Secret is in the files,
or a command in their comments (kubectl create) makes it with the keys that are used. Pods are confined and have probes.
"""
import re
import sys

import yaml

objects, made = [], {}
for path in sys.argv[1:]:
    with open(path, encoding="utf-8") as file:
        text = file.read()
    objects += list(yaml.safe_load_all(text))
    # Commands in comments go on after a backslash.
    for command in re.findall(r"^#\s+kubectl create (.*)", re.sub(r"\\\n#\s+", "", text), re.M):
        if found := re.match(r"(configmap|secret generic|secret tls) (\S+) (.*)", command):
            kind = "ConfigMap" if found[1] == "configmap" else "Secret"
            keys = {"tls.crt", "tls.key"} if found[1] == "secret tls" else set(re.findall(r"--from-file=([^\s=]+)", found[3]))
            made[kind, found[2]] = keys
wrong = []
for one in objects:
    if not (one["apiVersion"] and one["kind"] and re.fullmatch(r"[a-z][a-z0-9-]*", one["metadata"]["name"])):
        wrong.append(f"{one}: no object")
    if one["kind"] == "ConfigMap":
        made["ConfigMap", one["metadata"]["name"]] = set(one["data"])
sets = [one for one in objects if one["kind"] == "StatefulSet"]
pods = [one["spec"]["template"] for one in sets]


def matching(labels):
    return [pod for pod in pods if labels.items() <= pod["metadata"]["labels"].items()]


def ports_of(pod):
    return {port["name"] for container in pod["spec"]["containers"] for port in container["ports"]}


def use(kind, name, items, what):
    """Keys of a ConfigMap or Secret."""
    if (kind, name) not in made:
        wrong.append(f"{what}: nobody makes {kind} {name}")
    for item in items or []:
        if item["key"] not in made.get((kind, name), set()):
            wrong.append(f"{what}: {kind} {name} has no {item['key']}")


for one in objects:
    name, spec = f"{one['kind']} {one['metadata']['name']}", one.get("spec", {})
    if one["kind"] == "Service":
        for port in spec["ports"]:
            if not any(port["name"] in ports_of(pod) for pod in matching(spec["selector"])):
                wrong.append(f"{name}: no pod has the port {port['name']}")
    elif one["kind"] == "NetworkPolicy":
        found = matching(spec["podSelector"]["matchLabels"])
        for rule in spec["ingress"]:
            for port in rule["ports"]:
                if not any(port["port"] in ports_of(pod) for pod in found):
                    wrong.append(f"{name}: no pod has the port {port['port']}")
    elif one["kind"] in ("PodDisruptionBudget", "StatefulSet"):
        if not matching(spec["selector"]["matchLabels"]):
            wrong.append(f"{name}: selects nothing")
for one in sets:
    pod = one["spec"]["template"]["spec"]
    name = one["metadata"]["name"]
    if not pod["securityContext"]["runAsNonRoot"] or pod["automountServiceAccountToken"]:
        wrong.append(f"{name}: not confined")
    if not any(s["kind"] == "Service" and s["metadata"]["name"] == one["spec"]["serviceName"] for s in objects):
        wrong.append(f"{name}: no Service {one['spec']['serviceName']}")
    volumes = {volume["name"] for volume in pod["volumes"] + [
        claim["metadata"] for claim in one["spec"].get("volumeClaimTemplates", [])]}
    for container in pod.get("initContainers", []) + pod["containers"]:
        context = container["securityContext"]
        if context["allowPrivilegeEscalation"] or not context["readOnlyRootFilesystem"] or context["capabilities"] != {"drop": ["ALL"]}:
            wrong.append(f"{name}: {container['name']} is not confined")
        wrong += [f"{name}: no volume {mount['name']}" for mount in container["volumeMounts"] if mount["name"] not in volumes]
    for container in pod["containers"]:
        probes = {kind: probe["httpGet"] for kind, probe in container.items() if kind.endswith("Probe") and "httpGet" in probe}
        wrong += [f"{name}: no port {get['port']}" for get in probes.values() if get["port"] not in ports_of({"spec": pod})]
        if name == "relay" and (probes["livenessProbe"]["path"], probes["readinessProbe"]["path"]) != ("/healthz", "/readyz"):
            wrong.append(f"{name}: other probes")
    for volume in pod["volumes"]:
        for source in volume.get("projected", {}).get("sources", [volume]):
            if "configMap" in source:
                use("ConfigMap", source["configMap"]["name"], source["configMap"].get("items"), name)
            if "secret" in source:
                secret = source["secret"]
                use("Secret", secret.get("name") or secret["secretName"], secret.get("items"), name)
for line in wrong:
    print(line, file=sys.stderr)
for one in objects:
    if one["kind"] == "ConfigMap" and "relay.toml" in one["data"]:
        print(one["data"]["relay.toml"], end="")
sys.exit(bool(wrong))
