# What it shows: this kernel reads what was put into our EROFS and ext4: every type, mode, owner, time, attribute, hole and hard link.

# As setfacl makes it of u::rw,u:33:rw,g::r,g:7:r,m::rw,o::r.
acl=0x0200000001000600ffffffff020006002100000004000400ffffffff080004000700000010000600ffffffff20000400ffffffff
tree=/root/convert-kernel at=/run/convert-kernel
rm -rf $tree $at
mkdir -p $tree/{bin,dev,empty,deep/{1/2/3,many}} $at
(
	cd $tree
	cp /bin/busybox bin/busybox
	setcap cap_net_raw,cap_chown+ep bin/busybox
	cp bin/busybox bin/su && chown 0:33 bin/su && chmod 6755 bin/su
	ln bin/su bin/other
	ln -s busybox bin/sh
	ln -s "$(printf 'l%.0s' $(seq 200))" bin/long
	mknod dev/null c 1 3
	mknod dev/far b 511 70000
	mkfifo dev/pipe
	truncate -s 200M deep/hole
	printf end >>deep/hole
	head -c 4096 /dev/zero >deep/zeros
	head -c 5000 /dev/urandom >deep/tail
	: >deep/nothing
	for n in $(seq 300); do echo "$n" >"deep/many/$(printf "a rather long name of a file %03d" "$n")"; done
	touch "deep/"$'\xff\xfe'" \\ : ,"
	setfattr -n user.note -v kept deep/tail
	setfattr -n user.long -v "$(printf '%1500s' x)" deep/tail
	setfattr -n trusted.note -v 0x00ff0a deep
	setfattr -n system.posix_acl_access -v $acl deep/tail
	setfattr -n system.posix_acl_default -v $acl deep/1
	chown 70000:4000000000 deep/1/2
	chmod 1777 empty
	touch -h -d '1969-07-20 20:17:40.123456789' bin/sh
	touch -d '1999-12-31 23:59:59.999999999' deep/tail
	touch -d '2040-02-29 12:00:00.5' empty
)

# whole DIRECTORY: type, mode, owner, device, links, size, time, attributes and content of everything.
whole() {
	(
		cd "$1"
		find . -mindepth 1 -name lost+found -prune -o \
			\( -type d -printf '%p %y %m %U %G %T@\n' -o -printf '%p %y %m %U %G %n %s %T@ %l\n' \) | sort
		find . -mindepth 1 \( -type b -o -type c \) -exec stat -c '%n %t %T' {} + | sort
		find . -type f ! -name hole -print0 | sort -z | xargs -0 sha256sum
		find . -mindepth 1 -name lost+found -prune -o -print0 | sort -z |
			xargs -0 getfattr -dhm '^(user|trusted|security.capability|system.posix_acl)' 2>/dev/null
		find . -samefile bin/su | sort
		tail -c 3 deep/hole
	)
}
whole $tree >/run/convert-kernel.before
[ "$(grep -c . /run/convert-kernel.before)" -gt 600 ] || fail "the tree is not as it should be"
for format in erofs ext4; do
	veneer image convert "dir:$tree" --format=$format --no-mount-points --output="$STORE/kernel-$format" 2>/dev/null
	mount -o loop,ro "$STORE/kernel-$format.raw" $at
	whole $at | diff /run/convert-kernel.before - || fail "$format is not the tree"
	[ "$(stat -c %b "$STORE/kernel-$format.raw")" -lt 40000 ] || fail "$format has written the hole"
	umount $at
done
rmdir $at
rm -rf $tree /run/convert-kernel.before
