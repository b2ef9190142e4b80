#!/bin/sh
# Asks the stand-in with curl what the real gateway answers by its source. foreign.py beside it lets a client that is not
# ours make the requests.
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

# A request with every field that a creating request may have, and what later requests make of it.
sed "s/AGENT/$agent/" ledger.json >"$work/ledger.json"
expect 201 '"resource_name": "ledger"' -H "$admin" --data @"$work/ledger.json" "$base/connections"
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
expect 200 'cmVzb3VyY2U=' -H "$admin" -X PUT --data @"$work/ledger.json" "$base/connections/ledger-ro"
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

# The plugins that every organisation has are linked to every connection; review and dlp say what the connection says.
expect 200 '"name": "audit", "connections": [{"id": "'"$id"'", "name": "ledger-ro", "config": null}]' -H "$admin" "$base/plugins"
expect 200 '"connections": []' -H "$admin" "$base/plugins/review"
expect 200 '"reviewers": ["dba"]' -H "$admin" -X PUT -d "$(body ledger-ro ',"reviewers":["dba"]')" "$base/connections/ledger-ro"
expect 200 '"config": ["dba"]' -H "$admin" "$base/plugins/review"
expect 200 '"name": "review", "connections": []' -H "$admin" -X PUT -d '{"name":"review","connections":[]}' "$base/plugins/slack"
expect 200 '"reviewers": []' -H "$admin" "$base/connections/ledger-ro"
expect 400 connections -H "$admin" -d '{"name":"webhooks"}' "$base/plugins"
expect 404 'plugin not found' -H "$admin" "$base/plugins/webhooks"
expect 500 'violates foreign key' -H "$admin" -X PUT -d '{}' "$base/plugins/access_control/conn/$agent"

# While the access control is on, only admins, auditors and the groups of the link see a connection.
reader='Authorization: Bearer hpk_reader_of_the_fake'
expect 404 'not found' -H "$reader" "$base/connections/ledger-ro"
expect 200 '[]' -H "$reader" "$base/connections"
expect 200 '[]' -H "$reader" "$base/resources"
expect 200 '"config": ["developers"]' -H "$admin" -X PUT -d '{"config":["developers"]}' "$base/plugins/access_control/conn/$id"
expect 200 '"name": "ledger-ro"' -H "$reader" "$base/connections/ledger-ro"
expect 200 '"name": "ledger-ro"' -H "$reader" "$base/resources"
expect 403 'access denied' -H "$reader" "$base/orgs/hide-role-info"

# Lists: LIKE, where an underscore stands for any character; ids and words are checked; some fields are left out.
expect 200 '"name": "ledger-ro"' -H "$admin" "$base/connections?name=ledger_r%25"
expect 200 '[]' -H "$admin" "$base/connections?name=ledger-r"
expect 422 'invalid connection ID' -H "$admin" "$base/connections?connection_ids=ledger-ro"
expect 422 'option values' -H "$admin" "$base/connections?type="
expect 500 'invalid tag selector' -H "$admin" "$base/connections?tag_selector=env"
expect 200 '"effective_features": {"guardrails": false' -H "$admin" "$base/connections/ledger-ro"
expect 200 '"effective_features": null' -H "$admin" "$base/connections"
expect 404 'not found' -H "$admin" -X DELETE "$base/connections/$id"

# A resource takes the name of the body along, and its connections with it.
expect 200 '"name": "books"' -H "$admin" -X PUT -d '{"name":"books","type":"database","subtype":"postgres","env_vars":{}}' "$base/resources/ledger-ro"
expect 200 '"resource_name": "books"' -H "$admin" "$base/connections/ledger-ro"
expect 200 '"pages": {"total": 0, "page": 1, "size": 50}, "data": null' -H "$admin" "$base/resources?page=1&name=none"

# The steps and statuses of Hoop's own tests of its API, in requests of our own: TestConnectionCRUD, TestConnectionNotFound,
# TestAgentCRUD, TestRoleEnforcement and TestResourceCreateWithRoleAttributes in gateway/integration/smoke_test.go,
# TestResourceLifecycleUIStyle in smoke_webapp_test.go (github.com/hoophq/hoop at e939597d, MIT).
expect 201 grpc -H "$admin" -d '{"name":"second","mode":"standard"}' "$base/agents"
expect 200 '"name": "second"' -H "$admin" "$base/agents"
expect 204 '204 No Content' -H "$admin" -X DELETE "$base/agents/second"
expect 201 '"name": "stock-ro"' -H "$admin" -d "$(body stock-ro ',"command":["psql"]')" "$base/connections"
expect 200 '"name": "stock-ro"' -H "$admin" "$base/connections"
expect 200 '"command": ["psql"]' -H "$admin" "$base/connections/stock-ro"
expect 204 '204 No Content' -H "$admin" -X DELETE "$base/connections/stock-ro"
expect 404 'not found' -H "$admin" "$base/connections/stock-ro"
expect 403 'access denied' -H "$reader" -d '{"name":"stock-ro","type":"database"}' "$base/connections"
roles='"roles":[{"name":"sales-ro","type":"database","subtype":"postgres","attributes":["pii","team"]},{"name":"sales-rw","type":"database"}]'
sales='{"name":"sales","type":"database","subtype":"postgres","agent_id":"'"$agent"'","env_vars":{"HOST":"127.0.0.1"},'
expect 201 '"name": "sales"' -H "$admin" -d "$sales$roles}" "$base/resources"
expect 200 '"name": "sales"' -H "$admin" "$base/resources/sales"
expect 200 '"name": "sales"' -H "$admin" "$base/resources?page=1&page_size=50"
expect 200 '"attributes": ["pii", "team"]' -H "$admin" "$base/connections/sales-ro"
expect 200 '"access_mode_exec": "enabled", "access_mode_connect": "enabled", "access_schema": "enabled"' -H "$admin" "$base/connections/sales-ro"
expect 200 '"attributes": []' -H "$admin" "$base/connections/sales-rw"
expect 409 'already exists' -H "$admin" -d '{"name":"sales","type":"database","env_vars":{}}' "$base/resources"
expect 403 'existing connections' -H "$admin" -X DELETE "$base/resources/sales"
expect 204 '204 No Content' -H "$admin" -X DELETE "$base/connections/sales-ro"
expect 204 '204 No Content' -H "$admin" -X DELETE "$base/connections/sales-rw"
expect 204 '204 No Content' -H "$admin" -X DELETE "$base/resources/sales"
expect 404 'resource not found' -H "$admin" "$base/resources/sales"
[ $failed = 0 ] && echo 'the stand-in answers as expected'
exit $failed
