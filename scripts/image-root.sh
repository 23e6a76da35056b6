#!/bin/sh
# Lays the root folder of an image in which there is no shell, package manager, npm or compiler:
#   sh scripts/image-root.sh FOLDER [FILE …]
# It gets node, the system's libraries that node and the given libraries load, the certificates of authorities and a user without rights.
set -eu
root=$1
shift
node=$(command -v node)
mkdir -p "$root/etc/ssl/certs" "$root/tmp" "$root/usr/local/bin"
chmod 1777 "$root/tmp"
cp "$node" "$root/usr/local/bin/node"
# NVIDIA's container toolkit tells by debian_version where libraries belong.
cp /etc/debian_version /etc/os-release /etc/nsswitch.conf "$root/etc/"
cp /etc/ssl/certs/ca-certificates.crt "$root/etc/ssl/certs/"
printf 'root:x:0:0:root:/:/sbin/nologin\ncdsp:x:65532:65532:cdsp:/:/sbin/nologin\n' > "$root/etc/passwd"
printf 'root:x:0:\ncdsp:x:65532:\n' > "$root/etc/group"

copy() {
  mkdir -p "$root$(dirname "$1")"
  cp -L "$1" "$root$1"
}

links=$(for file in "$node" "$@"; do ldd "$file"; done)

# An image without a library would build, and fail on the first machine that needs it. What is given is there to be found by whatever loads it; libcuda
# comes with the driver of the machine that it runs on.
given=$(for file in "$@"; do basename "$file"; done)
missing=$(printf '%s\n' "$links" | sed -n 's/^[[:space:]]*\(.*\) => not found$/\1/p' | sort -u | grep -Fxv -e libcuda.so.1 -e "$given" || true)
if [ -n "$missing" ]; then
  echo "image-root.sh: these libraries are needed and not there; install their packages in the Dockerfile:" $missing >&2
  exit 1
fi

# Libraries within a package come with the package.
for library in $(printf '%s\n' "$links" | tr -s ' \t' '\n' | grep -E '^/(usr/)?lib(32|64)?/' | sort -u); do copy "$library"; done

# The terms of what was copied, as far as the base image has them.
for file in /usr/local/LICENSE /usr/share/doc/libc6/copyright /usr/share/doc/libgcc-s1/copyright /usr/share/doc/libstdc++6/copyright \
  /usr/share/doc/gcc-12-base/copyright /usr/share/doc/zlib1g/copyright /usr/share/doc/ca-certificates/copyright; do
  if [ -e "$file" ]; then copy "$file"; fi
done
