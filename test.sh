#!/usr/bin/env bash
# Builds everything and runs every test. On Debian as root it first installs the real programs that the end-to-end tests talk to;
# elsewhere it names the ones that are missing and leaves out the tests that need them. Ends with "N passed, N failed".
set -uo pipefail
cd "$(dirname "$0")"

peers=(prometheus promtool prometheus-node-exporter prometheus-alertmanager amtool victoria-metrics)
# Ceph, as small as it gets: the S3 server of the object storage tests.
object_storage=(ceph ceph-authtool monmaptool ceph-mon ceph-osd radosgw radosgw-admin)
network=(ip)
packages=(prometheus prometheus-node-exporter prometheus-alertmanager victoria-metrics ceph-common ceph-mon ceph-osd radosgw iproute2)

missing() {
    local name
    for name in "$@"; do
        command -v "$name" >/dev/null || printf '%s ' "$name"
    done
}

if [ -n "$(missing "${peers[@]}" "${object_storage[@]}" "${network[@]}")" ] && [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
    echo "Installing ${packages[*]} ..."
    { apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${packages[@]}"; } >/dev/null ||
        echo "apt-get failed; going on without."
fi

conditions=()
left_out=$(missing "${peers[@]}")
if [ -n "$left_out" ]; then
    echo "LEFT OUT: the end-to-end tests with real programs, since these are not installed: $left_out"
    conditions+=("Category!=Peers")
fi

left_out=$(missing "${object_storage[@]}")
if [ -n "$left_out" ]; then
    echo "LEFT OUT: the object storage tests with a real S3 server, since these are not installed: $left_out"
    conditions+=("Category!=ObjectStorage")
fi

probe="metrics-probe-$$"
if [ "$(id -u)" = 0 ] && ip netns add "$probe" 2>/dev/null && ip -n "$probe" link add probe0 type veth peer name probe1 2>/dev/null; then
    ip netns del "$probe"
else
    ip netns del "$probe" 2>/dev/null
    echo "LEFT OUT: the tests of silos that are cut off, since network namespaces can't be made (root and iproute2)."
    conditions+=("Category!=NetworkNamespaces")
fi

filter=()
if [ "${#conditions[@]}" -gt 0 ]; then
    filter=(--filter "$(IFS='&'; echo "${conditions[*]}")")
fi

precompile=()
if ! dotnet restore src/Gateway -p:Configuration=Release --nologo -v quiet >/dev/null 2>&1; then
    echo "LEFT OUT: compilation ahead of time, since its compiler can't be restored."
    precompile=(-p:Precompile=false)
fi

# Orleans's packages are not on every feed. Without them all but the projects that use them is built and tested; the single process needs none of it.
solution=Metrics.sln
if ! { dotnet restore src/Silo -p:Configuration=Release --nologo -v quiet "${precompile[@]}" && dotnet restore tests/Cluster -p:Configuration=Release --nologo -v quiet "${precompile[@]}"; } >/dev/null 2>&1; then
    echo "LEFT OUT: src/Grains, src/Silo and tests/Cluster, since the packages of Microsoft Orleans can't be restored."
    mkdir -p artifacts
    solution=artifacts/WithoutOrleans.slnf
    dotnet sln Metrics.sln list | tr '\\' '/' | grep '\.csproj$' | grep -Ev '^(src/Grains|src/Silo|tests/Cluster)/' |
        awk 'BEGIN { printf "{\"solution\":{\"path\":\"../Metrics.sln\",\"projects\":[" } { printf "%s\"%s\"", n++ ? "," : "", $0 } END { print "]}}" }' >"$solution"
fi

dotnet build "$solution" -c Release --nologo -v quiet "${precompile[@]}" || { echo "0 passed, 1 failed"; exit 1; }

results=artifacts/tests
rm -rf "$results"
mkdir -p "$results"

# Tests sync thousands of small files, which in memory costs nothing, and on a slow disk most of their time.
parent=${TMPDIR:-/tmp}
memory_kib=$(df --output=avail -k /dev/shm 2>/dev/null | tail -1)
[ "${memory_kib:-0}" -gt 4000000 ] && parent=/dev/shm
scratch=$(mktemp -d "$parent/metrics-XXXXXX")
trap 'rm -rf "$scratch"' EXIT
# Who stops this wants to know what was under way.
trap 'for log in "$results"/*.log; do [ -e "${log%.log}.status" ] || cat "$log"; done; exit 143' TERM INT

# Runs projects' tests one after the other, at a priority; shows what each said when it has ended.
run_tests() {
    local priority=$1 project name begun status
    shift
    for project in "$@"; do
        name=$(basename "$project" .csproj)
        begun=$SECONDS
        TMPDIR=$scratch nice -n "$priority" dotnet test "$(dirname "$project")/bin/Release/net10.0/Metrics.$name.dll" --nologo "${filter[@]}" \
            --logger "console;verbosity=minimal" --logger "trx;LogFileName=$name.trx" --results-directory "$results" >"$results/$name.log" 2>&1
        status=$?
        echo "$status" >"$results/$name.status"
        grep -Ev '^$|^Starting test execution|^A total of|^Results File' "$results/$name.log"
        echo "$name: $((SECONDS - begun)) s"
    done
}

# Two rows. Processes that tests start wait most of the time, hold each other to time limits, and go first; what only computes has what they leave of the processors.
waiting=()
computing=()
for project in $(grep -l 'Microsoft.NET.Test.Sdk' tests/*/*.csproj); do
    case $project in
        tests/Cluster/*) [ "$solution" = Metrics.sln ] && waiting=("$project" "${waiting[@]}") ;;
        tests/EndToEnd/*) waiting+=("$project") ;;
        *) computing+=("$project") ;;
    esac
done
run_tests 0 "${waiting[@]}" &
run_tests 10 "${computing[@]}" &
wait

echo "The slowest tests:"
grep -ho '<UnitTestResult [^>]*' "$results"/*.trx |
    sed -E 's/.* testName="([^"]*)".* duration="([0-9]+):([0-9]+):([0-9.]+)".*/\2 \3 \4 \1/; s/&quot;/"/g' |
    awk '{ seconds = $1 * 3600 + $2 * 60 + $3; $1 = $2 = $3 = ""; printf "%7.1f s %s\n", seconds, $0 }' |
    sort -rn | head -15

read -r passed failed < <(cat "$results"/*.log | awk '
    /^ *(Passed|Failed)! +- Failed:/ {
        gsub(",", "")
        for (i = 1; i < NF; i++) {
            if ($i == "Failed:") f += $(i + 1)
            if ($i == "Passed:") p += $(i + 1)
        }
    }
    END { print p + 0, f + 0 }')

# One that crashed counts nothing.
status=0
for project in "${waiting[@]}" "${computing[@]}"; do
    [ "$(cat "$results/$(basename "$project" .csproj).status" 2>/dev/null)" = 0 ] || status=1
done
if [ "$status" -ne 0 ] && [ "$failed" -eq 0 ]; then
    failed=1
fi

if [ "$status" -eq 0 ] && [ "$passed" -eq 0 ]; then
    echo "no test ran"
    status=1
fi

echo "$passed passed, $failed failed"
exit "$status"
