#!/bin/sh
# Compiles ahead what Triton would compile at its first kernel, so that the image needs no compiler: triton.sh FOLDER TO
# It is one C file that is the same for every kernel and every card: how Triton calls the driver.
set -eu
nvidia=$1 to=$2
here=$(dirname "$0")
mkdir -p "$to"
# The driver's library comes from the host, through the container toolkit; here only its name is needed.
gcc -shared -Wl,-soname,libcuda.so.1 -o "$to"/libcuda.so.1 -x c /dev/null
gcc "$nvidia"/driver.c -O3 -shared -fPIC -Wno-psabi -o "$to"/cuda_utils.so -I"$nvidia"/include \
    -I"$(python -c 'import sysconfig; print(sysconfig.get_path("include"))')" -L"$to" -Wl,--no-as-needed -l:libcuda.so.1
rm "$to"/libcuda.so.1
cp "$nvidia"/driver.c "$to"/driver.c
cp "$here"/cc "$to"/cc && chmod 755 "$to"/cc
