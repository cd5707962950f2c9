# shellcheck shell=bash
# Makes a Debian package of the installed Veneer, with the control file and scripts of docs/packaging.md.
# Sourced by the scenarios package-*; what they change of the installation, package_restore puts back.

PACKAGE_PAGE=/usr/share/doc/veneer/docs/packaging.md
PACKAGE_DIR=/var/tmp/veneer-package

# Everything of ours that is installed, and nothing of the tests.
package_files() {
	find /usr /etc \( -name '*veneer-test*' -prune \) -o \
		\( \( -name '*veneer*' -o -name 'app@.service*' \) -prune -print \)
}

# package_block NAME: the block of the page with this name behind its backquotes.
package_block() { sed -n "/^\`\`\`[a-z]* *$1\$/,/^\`\`\`\$/{/^\`\`\`/d;p}" "$PACKAGE_PAGE"; }

package_save() {
	rm -rf "$PACKAGE_DIR"
	mkdir -p "$PACKAGE_DIR"
	package_files >"$PACKAGE_DIR/list"
	tar -cf "$PACKAGE_DIR/saved.tar" -P -T "$PACKAGE_DIR/list"
}

# Whatever a scenario left half-way: the files as they were, and no package of them.
package_restore() {
	rm -f /var/lib/dpkg/info/veneer.prerm /var/lib/dpkg/info/veneer.postrm
	dpkg --purge --force-all veneer >/dev/null 2>&1 || :
	tar -xPf "$PACKAGE_DIR/saved.tar"
	rm -rf "$PACKAGE_DIR"
	systemd-tmpfiles --create veneer.conf
	systemctl daemon-reload
}

# package_build VERSION: prints the name of the package; call package_change_VERSION, if there is one, on its tree.
package_build() {
	local version=$1 tree=$PACKAGE_DIR/tree-$1 script
	mkdir -p "$tree/DEBIAN"
	tar -C "$tree" -xf "$PACKAGE_DIR/saved.tar" 2>/dev/null
	package_block control | sed "s/^Version:.*/Version: $version/" >"$tree/DEBIAN/control"
	for script in postinst prerm postrm; do
		package_block "$script" >"$tree/DEBIAN/$script"
		[ -s "$tree/DEBIAN/$script" ] || fail "no $script in $PACKAGE_PAGE"
		chmod 755 "$tree/DEBIAN/$script"
	done
	! declare -F "package_change_${version//./_}" >/dev/null || "package_change_${version//./_}" "$tree"
	dpkg-deb --root-owner-group -Znone -b "$tree" "$PACKAGE_DIR/veneer_$version.deb" >/dev/null
	echo "$PACKAGE_DIR/veneer_$version.deb"
}
