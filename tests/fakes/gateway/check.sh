#!/bin/sh
# Asks the stand-in with curl what the real gateway answers by its source: a client that is not ours.
set -eu
cd "$(dirname "$0")"
work=$(mktemp -d)
mkfifo "$work/stdin"
python3 -B server.py --agent lab:CONNECTED --until-stdin-closes <"$work/stdin" >"$work/out" &
exec 9>"$work/stdin"
trap 'exec 9>&-; rm -rf "$work"' EXIT
for _ in 1 2 3 4 5 6 7 8 9 10; do [ -s "$work/out" ] && break; sleep 0.2; done
port=$(sed 's/.*"port": \([0-9]*\).*/\1/' "$work/out")
base=http://127.0.0.1:$port/api
agent=$(curl -s -H 'Authorization: Bearer hpk_admin_of_the_fake' "$base/agents/lab" | sed 's/.*"id": "\([^"]*\)".*/\1/')
failed=0

# expect <status> <text of the answer> <curl arguments…>
expect() {
    status=$1 text=$2
    shift 2
    got=$(curl -s -D "$work/head" -o "$work/body" -w '%{http_code}' -H 'Content-Type: application/json' "$@")
    if [ "$got" != "$status" ] || ! grep -qF -- "$text" "$work/head" "$work/body"; then
        echo "expected $status $text, got $got $(cat "$work/body") for $*"
        failed=1
    fi
}
admin='Authorization: Bearer hpk_admin_of_the_fake'
body() { # body <name> <further fields>
    printf '{"name":"%s","type":"database","subtype":"postgres","agent_id":"%s","access_mode_runbooks":"enabled",' "$1" "$agent"
    printf '"access_mode_exec":"enabled","access_mode_connect":"enabled","access_schema":"enabled"%s}' "${2:-}"
}

expect 200 liveness "$base/healthz"
expect 401 'access denied' "$base/connections"
expect 401 unauthorize -H 'Api-Key: nobody|x' "$base/connections"
expect 403 'access denied' -H 'Authorization: Bearer hpk_reader_of_the_fake' -d "$(body ledger-ro)" "$base/connections"
expect 400 required -H "$admin" -d '{"name":"ledger-ro"}' "$base/connections"
expect 400 invalid -H "$admin" -d '{' "$base/connections"
expect 422 'name: it must contain' -H "$admin" -d "$(body ledger--ro)" "$base/connections"
expect 422 'name: it must contain' -H "$admin" -d "$(body a-b)" "$base/connections"
expect 422 'values must contain' -H "$admin" -d "$(body ledger-ro ',"connection_tags":{"host":"db.example"}')" "$base/connections"
expect 422 'keys must contain' -H "$admin" -d "$(body ledger-ro ',"connection_tags":{"host-":"db"}')" "$base/connections"
expect 422 'greater than 0' -H "$admin" -d "$(body ledger-ro ',"min_review_approvals":0')" "$base/connections"
expect 500 SQLSTATE -H "$admin" -d "$(body ledger-ro ',"guardrail_rules":["b19bba55-8646-4d94-a40a-c3afe2f4bafd"]')" "$base/connections"
expect 201 '"psql"' -H "$admin" -d "$(body ledger-ro ',"secret":{"envvar:DB":"bGVkZ2Vy"},"attributes":["pii"]')" "$base/connections"
expect 409 'already exists' -H "$admin" -d "$(body ledger-ro)" "$base/connections"
expect 200 '"default_database": "ledger"' -H "$admin" "$base/connections/ledger-ro"
expect 200 '"secret": {}' -H 'Authorization: Bearer hpk_reader_of_the_fake' "$base/connections/ledger-ro"
expect 200 '"attributes": null' -H "$admin" -X PUT -d "$(body ledger-ro)" "$base/connections/ledger-ro"
expect 200 '"pages"' -H "$admin" "$base/connections?page=1"
expect 422 'page_size' -H "$admin" "$base/connections?page_size=101"
expect 404 'either the plugin' -H "$admin" -X PUT -d '{"config":["dba"]}' "$base/plugins/access_control/conn/$agent"
expect 204 '204 No Content' -H "$admin" -X DELETE "$base/connections/ledger-ro"
expect 404 'not found' -H "$admin" "$base/connections/ledger-ro"

# The creating request as Hoop documents it, replayed from a file, and what later requests make of it.
sed "s/AGENT/$agent/" documented.json >"$work/documented.json"
expect 201 '"resource_name": "ledger"' -H "$admin" --data @"$work/documented.json" "$base/connections"
expect 200 '"access_max_duration": 3600' -H "$admin" "$base/connections/ledger-ro"
expect 200 '"env_vars": {}' -H "$admin" "$base/resources/ledger"
expect 200 '"key": "env", "value": "prod"' -H "$admin" "$base/connection-tags"
expect 200 '"name": "ledger-ro"' -H "$admin" -G --data-urlencode 'tag_selector=hoop.dev/aws-connect.dbarn=arn:aws:rds:eu-west-1:111122223333:db:ledger' "$base/connections"
expect 200 '[]' -H "$admin" -G --data-urlencode 'tag_selector=env!=prod' "$base/connections"
expect 403 'cannot delete resource with existing connections' -H "$admin" -X DELETE "$base/resources/ledger"
expect 403 'cannot change resource type' -H "$admin" -X PUT -d '{"name":"ledger","type":"custom","env_vars":{}}' "$base/resources/ledger"
expect 409 'resource name already exists' -H "$admin" -d '{"name":"ledger","type":"database","env_vars":{}}' "$base/resources"
expect 400 env_vars -H "$admin" -d '{"name":"stock","type":"database"}' "$base/resources"

# Variables of the resource show in answers to writes, and only there.
expect 200 'cmVzb3VyY2U=' -H "$admin" -X PUT -d '{"name":"ledger","type":"database","subtype":"postgres","env_vars":{"envvar:X":"cmVzb3VyY2U="}}' "$base/resources/ledger"
expect 200 '"env_vars": {}' -H 'Authorization: Bearer hpk_reader_of_the_fake' "$base/resources/ledger"
expect 200 'cmVzb3VyY2U=' -H "$admin" -X PUT --data @"$work/documented.json" "$base/connections/ledger-ro"
curl -s -H "$admin" "$base/connections/ledger-ro" | grep -q cmVzb3VyY2U= && echo 'GET shows variables of the resource' && failed=1

# hide_role_info: null stands for a literal, and sent back keeps it; an absent key deletes it; references are shown.
expect 200 true -H "$admin" -X PUT -d '{"hide_role_info":true}' "$base/orgs/hide-role-info"
expect 200 true -H "$admin" "$base/orgs/hide-role-info"
expect 200 '"envvar:PASS": null' -H "$admin" "$base/connections/ledger-ro"
kept=',"resource_name":"ledger","secret":{"envvar:PASS":null,"envvar:USER":"X2F3czphOmI="}'
expect 200 'X2F3czphOmI=' -H "$admin" -X PUT -d "$(body ledger-ro "$kept")" "$base/connections/ledger-ro"
expect 200 false -H "$admin" -X PUT -d '{"hide_role_info":false}' "$base/orgs/hide-role-info"
expect 200 '"envvar:PASS": "czNjcmV0"' -H "$admin" "$base/connections/ledger-ro"
curl -s -H "$admin" "$base/connections/ledger-ro" | grep -q envvar:HOST && echo 'an absent key was kept' && failed=1

# A PUT resets what it leaves out, and moves the connection to a resource of its own name.
expect 200 '"resource_name": "ledger-ro"' -H "$admin" -X PUT -d "$(body ledger-ro)" "$base/connections/ledger-ro"
expect 200 '"reviewers": []' -H "$admin" "$base/connections/ledger-ro"
expect 200 '"access_max_duration": null' -H "$admin" "$base/connections/ledger-ro"
expect 204 '204 No Content' -H "$admin" -X DELETE "$base/resources/ledger"
expect 404 'resource not found' -H "$admin" "$base/resources/ledger"

# The access-control plugin: one link per connection; the route for the whole plugin replaces all of them.
id=$(curl -s -H "$admin" "$base/connections/ledger-ro" | sed 's/.*"id": "\([^"]*\)".*/\1/')
expect 201 access_control -H "$admin" -d '{"name":"access_control","connections":[]}' "$base/plugins"
expect 400 'already enabled' -H "$admin" -d '{"name":"access_control","connections":[]}' "$base/plugins"
expect 200 '"dba"' -H "$admin" -X PUT -d '{"config":["dba"]}' "$base/plugins/access_control/conn/$id"
expect 400 'review or dlp' -H "$admin" -X PUT -d '{"config":["dba"]}' "$base/plugins/review/conn/$id"
expect 200 '"connections": []' -H "$admin" -X PUT -d '{"name":"access_control","connections":[]}' "$base/plugins/access_control"
expect 404 'either the plugin' -H "$admin" "$base/plugins/access_control/conn/$id"
[ $failed = 0 ] && echo 'the stand-in answers as expected'
exit $failed
