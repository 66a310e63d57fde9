#!/bin/sh
# Installs what the lock names into the image's Python, and takes out what nothing there uses: install.sh cuda|cpu [INDEX]
set -eu
torch=$1 index=${2:-}
lock=requirements.lock
folder=$(python -c 'import sysconfig; print(sysconfig.get_path("purelib"))')

if [ "$torch" = cpu ]; then
    # torch for CPUs has other files than the lock's and needs nothing of CUDA.
    awk '/^[^ #]/ { skip = /^(torch|triton|nvidia-|cuda-)/ } !skip' requirements.lock > cpu.lock
    lock=cpu.lock
fi
pip install --require-hashes --only-binary :all: --no-deps --requirement "$lock"
if [ "$torch" = cpu ]; then
    version=$(sed -n 's/^torch==\([^ ;]*\).*/\1/p' requirements.lock)
    pip install --only-binary :all: --no-deps ${index:+--index-url "$index"} "torch==$version+cpu"
fi

# Only for compiling against these packages: no compiler is in the image.
rm -rf "$folder"/torch/include "$folder"/torch/bin/protoc* "$folder"/nvidia/*/include
find "$folder" -name '*.a' -delete

if [ "$torch" = cuda ]; then
    # Libraries that no other one links to, for uses that Vivant has none of: several cards in one solver, BLAS and FFTW under
    # other names, a second runtime compiler, profilers, and Triton's code for AMD and for tests.
    cuda=$folder/nvidia/cu13/lib triton=$folder/triton
    rm -rf "$cuda"/libcusolverMg.so.* "$cuda"/libnvblas.so.* "$cuda"/libcufftw.so.* "$cuda"/libnvrtc*.alt.so.* "$cuda"/libnvperf_*
    rm -rf "$triton"/backends/nvidia/lib/cupti "$triton"/_C/libproton.so "$triton"/instrumentation/*.so "$triton"/plugins/*
    strip --strip-unneeded "$triton"/_C/libtriton.so # half of it is debugging information
    sh triton.sh "$triton"/backends/nvidia /opt/vivant/triton
fi
