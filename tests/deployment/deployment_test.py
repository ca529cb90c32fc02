"""The recipes of docs/operations without a container engine.

deployment_test.py TREE PROGRAMS: prints what is wrong and exits with 1; 77 where a part could not
be tried. The Containerfile's lines name what there is, its packages can be installed, and what it
makes its image of is made here: the server runs with that folder as its root and with the
manifest's own arguments, and is asked what the manifest's probes ask.
"""

import json
import pathlib
import re
import shlex
import shutil
import signal
import subprocess
import sys
import tempfile
import urllib.request

PATIENCE = 600
SKIPPED = []


def check(condition, what):
    if not condition:
        raise AssertionError(what)


def run(*words):
    return subprocess.run([str(word) for word in words], text=True, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, timeout=PATIENCE, check=False)


def instructions(path):
    """(INSTRUCTION, its words) of a Containerfile, without comments and with lines put together."""
    text = re.sub(r"^\s*#.*\n", "", path.read_text(encoding="utf-8"), flags=re.MULTILINE)
    for line in text.replace("\\\n", " ").splitlines():
        if line.strip():
            word, _, rest = line.strip().partition(" ")
            yield word, rest.strip()


def check_containerfile(tree):
    stages = []
    copied = set()
    targets = []
    for word, rest in instructions(tree / "docs/operations/Containerfile"):
        check(word in ("FROM", "WORKDIR", "COPY", "RUN", "USER", "EXPOSE", "ENTRYPOINT", "CMD"),
              f"{word} is no instruction that this test knows")
        words = shlex.split(rest)
        if word == "FROM" and "AS" in words:
            stages.append(words[words.index("AS") + 1])
        elif word == "COPY" and words[0].startswith("--from="):
            check(words[0].partition("=")[2] in stages, f"COPY {rest}: there is no such stage")
        elif word == "COPY":
            for source in words[:-1]:
                check((tree / source).exists(), f"COPY {rest}: there is no {source}")
                copied.add(source)
        elif word in ("ENTRYPOINT", "CMD"):
            check(isinstance(json.loads(rest), list), f"{word} is no list")
        elif "--target" in words:
            targets += words[words.index("--target") + 1:]
        elif word == "RUN":
            scripts = [each for each in words if each.endswith(".sh")]
            check(all((tree / each).is_file() for each in scripts), f"RUN {rest}: no such script")
    # What CMakeLists.txt reads without the tests has to be there.
    for folder in re.findall(r"add_subdirectory\(([^)$]+)\)",
                             (tree / "CMakeLists.txt").read_text(encoding="utf-8")):
        check(folder in copied or folder == "tests", f"{folder} is not copied into the image")
    check(targets, "nothing is built")
    return targets


def check_packages(tree):
    if shutil.which("apt-get") is None:
        SKIPPED.append("the image's packages: there is no apt-get here")
        return
    packages = run("sh", "-c", f". {tree}/.scripts/setup.sh && packages_of run").stdout.split()
    check("g++" in packages and "cmake" in packages, f"the packages are {packages}")
    if not list(pathlib.Path("/var/lib/apt/lists").glob("*_Packages*")):
        SKIPPED.append("the image's packages: apt has no lists here (apt-get update)")
        return
    tried = run("apt-get", "install", "--simulate", "--no-install-recommends", *packages)
    unknown = [line for line in tried.stdout.splitlines()
               if "Unable to locate" in line or "no installation candidate" in line]
    check(not unknown, f"no such packages: {unknown}")
    if tried.returncode != 0:
        SKIPPED.append("the image's packages: this system's own packages are at odds (apt-get check)")


def manifest(tree):
    """The arguments of the server and the probes, of the Deployment."""
    try:
        import yaml
    except ImportError:
        SKIPPED.append("the Kubernetes manifest: python3 has no yaml (package python3-yaml)")
        return None, ["/healthz"]
    with open(tree / "docs/operations/kubernetes.yaml", encoding="utf-8") as file:
        deployment, service = yaml.safe_load_all(file)
    pod = deployment["spec"]["template"]["spec"]
    container = pod["containers"][0]
    ports = {port["name"]: port["containerPort"] for port in container["ports"]}
    arguments = container["args"]
    check(arguments[arguments.index("--port") + 1] == str(ports["http"]), "--port is another port")
    check(arguments[arguments.index("--admin") + 1].endswith(f":{ports['admin']}"),
          "--admin is another port")
    check(service["spec"]["ports"][0]["targetPort"] in ports, "the service leads to no port")
    check(service["spec"]["selector"] == deployment["spec"]["selector"]["matchLabels"] ==
          deployment["spec"]["template"]["metadata"]["labels"], "the labels differ")
    volumes = {volume["name"] for volume in pod["volumes"]}
    check({mount["name"] for mount in container["volumeMounts"]} == volumes, "volumes differ")
    profile = pod["securityContext"]["seccompProfile"]["localhostProfile"]
    check((tree / "docs" / pathlib.Path(profile).name).is_file(), f"there is no {profile}")
    drain_ms = int(arguments[arguments.index("--drain-deadline-ms") + 1])
    check(pod["terminationGracePeriodSeconds"] * 1000 >
          drain_ms + container["lifecycle"]["preStop"]["sleep"]["seconds"] * 1000,
          "the pod is killed before its drain is over")
    paths = []
    for probe in ("readinessProbe", "livenessProbe"):
        asked = container[probe]["httpGet"]
        check(asked["port"] == "admin", f"the {probe} asks another port")
        paths.append(asked["path"])
    return arguments, paths


def with_free_ports(arguments):
    """The same, but on loopback and where the kernel picks."""
    changed = list(arguments)
    for option, value in (("--port", "0"), ("--admin", "127.0.0.1:0"),
                          ("--address", "127.0.0.1")):
        changed[changed.index(option) + 1] = value
    return changed


def get(url):
    with urllib.request.urlopen(url, timeout=PATIENCE) as answer:
        return answer.status, answer.read()


def check_image(tree, programs, root, arguments, paths):
    made = run("sh", tree / "docs/operations/image_root.sh", root, *programs)
    check(made.returncode == 0, made.stdout)
    # A runtime brings these two.
    for folder in ("proc", "dev"):
        (root / folder).mkdir()
    mounts = 'mount --rbind /proc "$0/proc" && mount --rbind /dev "$0/dev"'
    inside = ["unshare", "--user", "--map-root-user", "--mount", "sh", "-c",
              mounts + ' && exec chroot "$0" "$@"', str(root)]
    tried = run(*inside, "/usr/bin/http-server", "--version")
    if tried.returncode != 0 and "http-server" not in tried.stdout:
        SKIPPED.append("the image's folder as a root: unshare or mount is not allowed here")
        return
    check(tried.returncode == 0, f"it does not start in its image:\n{tried.stdout}")
    server = subprocess.Popen([*inside, "/usr/bin/http-server", *arguments], text=True,
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    try:
        first = server.stdout.readline()
        port = re.match(r"listening on 127\.0\.0\.1:(\d+)", first)
        check(port, f"it says \"{first}\"")
        log = ""
        while not (admin := re.search(r"health on http://([0-9.:]+)", log)):
            line = server.stderr.readline()
            check(line, f"it has no admin port:\n{log}")
            log += line
        page = get(f"http://127.0.0.1:{port[1]}/")
        check(page[0] == 200 and b"It works" in page[1], f"the page is {page}")
        for path in paths:
            check(get(f"http://{admin[1]}{path}")[0] == 200, f"{path} is not 200")
        server.send_signal(signal.SIGTERM)
        rest = server.communicate(timeout=PATIENCE)[1]
        check(server.returncode == 0, f"exit code {server.returncode}:\n{log}{rest}")
    finally:
        if server.poll() is None:
            server.kill()
            server.communicate()


TREE, PROGRAMS = (pathlib.Path(word) for word in sys.argv[1:])
TARGETS = check_containerfile(TREE)
check_packages(TREE)
ARGUMENTS, PATHS = manifest(TREE)
if ARGUMENTS is None:
    COMMAND = dict(instructions(TREE / "docs/operations/Containerfile"))["CMD"]
    ARGUMENTS = json.loads(COMMAND)
with tempfile.TemporaryDirectory() as FOLDER:
    check_image(TREE, [PROGRAMS / each for each in TARGETS], pathlib.Path(FOLDER) / "root",
                with_free_ports(ARGUMENTS), PATHS)
for reason in SKIPPED:
    print(f"SKIP: {reason}")
sys.exit(77 if SKIPPED else 0)
