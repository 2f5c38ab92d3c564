#!/bin/sh
# Installs the units and users of the gateway or of the cloud on this machine, or below DESTDIR: for a
# package, an image. Enables and starts nothing. A recipe that installs them itself must name all of
# them, too; tests/tidy looks.
set -eu
case "${1:-}" in
gateway) units="riserd.service riser-time.service" users="riser" ;;
cloud) units="riser-cloud.service" users="riser-cloud" ;;
*)
  echo "usage: [DESTDIR=FOLDER] $0 gateway|cloud" >&2
  exit 64
  ;;
esac
here=$(dirname "$0")
for unit in $units; do
  install -D -m 0644 "$here/$unit" "${DESTDIR:-}/usr/lib/systemd/system/$unit"
done
for user in $users; do
  install -D -m 0644 "$here/$user.sysusers.conf" "${DESTDIR:-}/usr/lib/sysusers.d/$user.conf"
done
