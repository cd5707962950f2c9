# What it shows: what an apply, a list of 500 overlays and a diff of 100,000 files cost.
# Tier: soak
# Timeout: 900

target=/usr/share/veneer-bench
mkdir -p "$target" /root/bench /mnt
for number in $(seq 1 1000); do head -c 104858 /dev/urandom >"/root/bench/$number"; done
cat /root/bench/* >/dev/null
median() { sort -n | awk '{ a[NR] = $1 } END { print a[int((NR + 1) / 2)] }'; }
ms() {
	local begin
	begin=$(date +%s%N)
	"$@" >/dev/null
	echo $((($(date +%s%N) - begin) / 1000000))
}
by_hand() {
	mount -t tmpfs tmpfs /mnt
	mkdir /mnt/tree
	cp -a /root/bench/. /mnt/tree
	mount -t overlay overlay -o "ro,lowerdir=/mnt/tree:$target" "$target"
}
# systemd takes five changes of mounts in a second, and has mount units wait for the next one: the rounds before are over.
quiet() { sleep 1.2; }
for _ in $(seq 1 "${COUNT:-9}"); do
	quiet
	ms by_hand >>/root/bench.hand
	umount "$target" /mnt
	quiet
	ms veneer overlay apply bench /root/bench "$target" >>/root/bench.ours
	veneer overlay remove bench >/dev/null
done
note "1000 files, 100 MiB: cp -a and mount $(median </root/bench.hand) ms, apply $(median </root/bench.ours) ms"

# 100,000 files in an upper directory.
veneer overlay apply bench /root/bench "$target" --writable --size=1G >/dev/null
(cd "$target" && for dir in $(seq 1 100); do mkdir "$dir.d" && (cd "$dir.d" && seq 1 1000 | xargs touch); done)
for _ in 1 2 3 4 5; do ms veneer overlay diff bench >>/root/bench.diff; done
expect "$(veneer overlay diff bench | tail -n 1 | cut -d' ' -f1)" 101100
note "diff of an upper directory with 100,000 files: $(median </root/bench.diff) ms"
veneer overlay remove bench >/dev/null

# 500 overlays, of which one is applied and the others are as many records.
mkdir -p "$target/0" /root/bench.small
veneer overlay apply bench0 /root/bench.small "$target/0" >/dev/null
for number in $(seq 1 499); do
	mkdir -p "/run/veneer/overlays/bench$number"
	sed "s/bench0/bench$number/; s/veneer-bench.0/veneer-bench\/$number/" /run/veneer/overlays/bench0/record.json \
		>"/run/veneer/overlays/bench$number/record.json"
done
expect "$(veneer overlay list | wc -l)" 501
for _ in 1 2 3 4 5 6 7 8 9; do ms veneer overlay list >>/root/bench.list; done
note "list of 500: $(median </root/bench.list) ms"
for number in $(seq 1 499); do rm -r "/run/veneer/overlays/bench$number"; done
veneer overlay remove bench0 >/dev/null
