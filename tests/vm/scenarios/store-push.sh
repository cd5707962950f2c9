# What it shows: a converted, signed image goes to a registry as an artifact; an app of another host pulls it, converts nothing, and runs.
# Container: yes
# Timeout: 120

command -v docker-registry >/dev/null || skip 'there is no docker-registry'
cat >/run/registry.yml <<-'YAML'
	version: 0.1
	storage: {filesystem: {rootdirectory: /run/registry}}
	http: {addr: "127.0.0.1:5007"}
YAML
systemd-run --quiet --unit=store-registry docker-registry serve /run/registry.yml
eventually 20 get 5007 /v2/ >/dev/null || fail 'the registry does not come up'

image hello
fails_with 'the registry cannot be reached' veneer image push hello docker://127.0.0.1:5009/images/hello:1 --insecure
code=0
veneer image push hello docker://127.0.0.1:5009/images/hello:1 --insecure 2>/dev/null || code=$?
expect "$code" 69
fails_with '"foo" is no destination' veneer image push hello foo
veneer image push hello docker://127.0.0.1:5007/images/hello:1 --insecure
manifest=$(skopeo inspect --raw --tls-verify=false docker://127.0.0.1:5007/images/hello:1)
has "$manifest" '"artifactType":"application/vnd.veneer.image.v1"'
for file in raw verity roothash roothash.p7s; do
	has "$manifest" "$(sha256sum "$STORE/hello.$file" | cut -d' ' -f1)"
done
skopeo copy --quiet --insecure-policy --preserve-digests --src-tls-verify=false \
	docker://127.0.0.1:5007/images/hello:1 dir:/run/store-pulled
cmp "/run/store-pulled/$(sha256sum "$STORE/hello.raw" | cut -d' ' -f1)" "$STORE/hello.raw"
[ -z "$(find /tmp -maxdepth 1 -name 'veneer-push*')" ] || fail 'a layout is left behind'

# Another host, which has nothing but the reference and the signer's certificate.
sum=$(sha256sum <"$STORE/hello.raw")
rm -f "$STORE"/hello.*
trust_test_key
printf '[[registry]]\nlocation = "127.0.0.1:5007"\ninsecure = true\n' >/etc/veneer/registries.conf
app fleet <<-'TOML'
	[image]
	oci = "docker://127.0.0.1:5007/images/hello:1"
	require = "signed"
	[service]
	exec = ["/bin/httpd", "-f", "-p", "8080", "-h", "/srv/www"]
TOML
reload
if [ -n "${CONTAINER:-}" ]; then
	systemctl start veneer-convert@fleet || fail "$(unit_journal veneer-convert@fleet.service)"
else
	start fleet
	eventually 5 get 8080
	has "$(veneer status fleet)" 'signed, checked in user space' || fail "$(veneer status fleet)"
	stop fleet
fi
raw=$(echo "$STORE"/sha256-*.raw)
expect "$(sha256sum <"$raw")" "$sum"
expect "$(basename "$raw")" "sha256-$(printf %s "$manifest" | sha256sum | cut -d' ' -f1).raw"
systemctl stop store-registry
rm -rf /run/registry /run/registry.yml /run/store-pulled
