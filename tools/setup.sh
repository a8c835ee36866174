#!/bin/sh
# Makes .venv with everything the project needs; does nothing when that is done and nothing has changed.
#   setup.sh run    what the programs need
#   setup.sh dev    the same, and what tests and linters need
set -eu
cd "$(dirname "$0")/.."

kind="${1:?run or dev}"
stamp=".venv/.installed-$kind"
if [ "$kind" = run ] && [ -f .venv/.installed-dev ]; then
    stamp=".venv/.installed-dev" # dev holds all of run
    kind=dev
fi
wanted=$(cat pyproject.toml constraints.txt tools/setup.sh | cksum)
if [ -f "$stamp" ] && [ "$(cat "$stamp")" = "$wanted" ]; then
    exit 0
fi

python="${PYTHON:-python3}"
if ! "$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
    echo "Python 3.11 or newer is needed (set PYTHON=/path/to/python)." >&2
    exit 2
fi
if ! "$python" -c 'import ensurepip' 2>/dev/null; then
    # Debian splits venv off its python3.
    package="python$("$python" -c 'import sys; print("%d.%d" % sys.version_info[:2])')-venv"
    echo "Installing system packages: $package"
    sudo=""; [ "$(id -u)" -eq 0 ] || sudo="sudo"
    $sudo apt-get update -qq
    DEBIAN_FRONTEND=noninteractive $sudo apt-get install -y -qq --no-install-recommends "$package" >/dev/null
fi

[ -x .venv/bin/python ] || "$python" -m venv .venv
extra=""; [ "$kind" = run ] || extra="[dev]"
echo "Installing the Python packages of constraints.txt into .venv (several GB the first time, mostly PyTorch)"
# No cache: nothing is left outside the checkout.
.venv/bin/python -m pip install --quiet --no-cache-dir --disable-pip-version-check \
    --constraint constraints.txt --editable ".$extra"
if [ "$kind" = dev ]; then
    # It asks for opencv-python, whose Qt would be loaded beside ours; it works with the headless one.
    .venv/bin/python -m pip install --quiet --no-cache-dir --disable-pip-version-check \
        --constraint constraints.txt --no-deps quantus
fi
echo "$wanted" > "$stamp"
