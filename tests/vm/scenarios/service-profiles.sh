# What it shows: an image with nothing but one static program starts under every profile, with a dynamic and a named user.
# Container: yes

image static static
for profile in strict default nonetwork trusted; do
	for user in dynamic root daemon; do
		app "s-$profile-$user" <<T
[image]
file = "static"
[service]
type = "oneshot"
exec = ["/answer", "say", "alive"]
profile = "$profile"
user = "$user"
state = true
[service.directives]
RemainAfterExit = true
T
	done
done
snapshot
reload
verify_units
for profile in strict default nonetwork trusted; do
	for user in dynamic root daemon; do
		start "s-$profile-$user"
		journal_has "app@s-$profile-$user" alive
		stop "s-$profile-$user"
	done
done
nothing_left
