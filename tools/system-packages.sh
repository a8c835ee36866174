#!/bin/sh
# Installs the system libraries that Qt needs and this machine lacks; says what it does.
#   system-packages.sh window   libraries to draw windows, and a font
#   system-packages.sh test     the same, a virtual screen for the real-window tests, and readers of DICOM and PDF files
set -eu

window="libegl1 libgl1 libxkbcommon0 libfontconfig1 libdbus-1-3 libglib2.0-0 fonts-dejavu-core fonts-inter \
libxkbcommon-x11-0 libxcb-cursor0 libxcb-icccm4 libxcb-keysyms1 libxcb-shape0"
test="xvfb xauth xdotool dcmtk poppler-utils"

case "${1:-}" in
    window) wanted=$window ;;
    test) wanted="$window $test" ;;
    *) echo "usage: $0 window|test" >&2; exit 2 ;;
esac

if [ "$(uname -s)" != Linux ]; then
    exit 0 # macOS and Windows bring what Qt needs
fi
if ! command -v apt-get >/dev/null 2>&1; then
    echo "This is not Debian or Ubuntu: if Qt does not start, install the counterparts of: $wanted"
    exit 0
fi

missing=""
for package in $wanted; do
    # Newer releases name some libraries with a suffix (libglib2.0-0t64) that provides the old name.
    if ! dpkg-query -W -f '${Status}\n' "$package" "${package}t64" 2>/dev/null | grep -q 'ok installed'; then
        missing="$missing $package"
    fi
done
if [ -z "$missing" ]; then
    exit 0
fi

sudo=""
if [ "$(id -u)" -ne 0 ]; then
    sudo="sudo"
fi
echo "Installing system packages:$missing"
$sudo apt-get update -qq
DEBIAN_FRONTEND=noninteractive $sudo apt-get install -y -qq --no-install-recommends $missing >/dev/null
