"""check_packages.py PACKAGING TASK: each file named on standard input belongs to a package that PACKAGING/install-packages
installs for TASK, or to one that these depend on; a name without a folder is a library's. Prints those that do not."""
import importlib.machinery
import importlib.util
import subprocess
import sys

packaging, task = sys.argv[1:]
loader = importlib.machinery.SourceFileLoader("link_programs", packaging + "/link-programs")
link_programs = importlib.util.module_from_spec(importlib.util.spec_from_loader(loader.name, loader))
sys.dont_write_bytecode = True
loader.exec_module(link_programs)

named = subprocess.run([packaging + "/install-packages", "--list", task], check=True, capture_output=True, text=True)
packages, provided = link_programs.installed()
there = link_programs.closure(named.stdout.split(), packages, provided)
missing = False
for name in sys.stdin.read().split():
    found = subprocess.run(["dpkg-query", "-S", name if name.startswith("/") else "*/" + name],
                           capture_output=True, text=True).stdout
    owners = {line.split(":")[0] for line in found.splitlines()}
    if not owners & there:
        missing = True
        print(f"{name}: {task} does not install {' or '.join(owners) or 'it'}")
sys.exit(missing)
