//! What lies beside the documents is refused, live and by name; the same call on what they name is allowed.

use serde_json::{Value, json};

use super::hub::{Documents, EXTERNAL_ID, Hub, ROLE};
use super::whole::ALL;
use crate::rig::{AwsError, Database, Rig};
use crate::wish::{DatabaseWish, Wish};

const ACCOUNT: Option<&str> = Some("payments-prod");
const HERE: &str = "us-east-1";
const ELSEWHERE: &str = "eu-west-1";

/// `ledger` is what the documents are for. Around it: another database, its namesake in another region, one in another
/// account.
fn rig() -> Rig {
    let instance = |account: &str, region: &str, name: &str| {
        DatabaseWish::instance(account, region, name, "postgres").unreachable()
    };
    let wish = Wish::organization().with(instance("payments-prod", HERE, "ledger"));
    let wish = wish.with(instance("payments-prod", HERE, "stock")).with(instance("payments-prod", ELSEWHERE, "ledger"));
    Rig::start(&wish.with(instance("orders-eu", ELSEWHERE, "orders")))
}

fn enforced(rig: &Rig) -> (Hub<'_>, Documents) {
    let hub = Hub::new(rig, &["payments-prod", "orders-eu"]);
    let documents = hub.read(&ALL, &[rig.database(0)], "admin_names = [\"dba\"]", "");
    hub.put(&documents);
    hub.enforce();
    (hub, documents)
}

/// One call in the account of the database, in this region.
fn call(hub: &Hub<'_>, region: &str, service: &str, operation: &str, params: &Value) -> Result<Value, AwsError> {
    hub.call(ACCOUNT, region, service, operation, params)
}

/// The call is refused for want of a permission, and the refusal names the action and (a part of) the resource.
fn refused(answer: Result<Value, AwsError>, action: &str, resource: &str) {
    let error = answer.expect_err(&format!("{action} on {resource} is allowed"));
    let codes = ["AccessDenied", "AccessDeniedException", "UnauthorizedOperation"];
    assert!(codes.contains(&error.code.as_str()), "{action} on {resource}: {error:?}");
    let message = &error.message;
    assert!(message.contains(action) && message.contains(resource), "{action} on {resource}: {message}");
}

#[test]
fn other_databases_are_out_of_reach() {
    let rig = rig();
    let (hub, _) = enforced(&rig);
    let change = |name: &str| json!({"DBInstanceIdentifier": name, "MasterUserPassword": "a-New-Passw0rd"});
    let modify = |region: &str, name: &str| call(&hub, region, "rds", "modify_db_instance", &change(name));
    modify(HERE, "ledger").unwrap();
    refused(modify(HERE, "stock"), "rds:ModifyDBInstance", &rig.database(1).arn);
    refused(modify(ELSEWHERE, "ledger"), "rds:ModifyDBInstance", &rig.database(2).arn);
    call(&hub, HERE, "rds", "describe_db_instances", &json!({})).unwrap();
    let listed = call(&hub, ELSEWHERE, "rds", "describe_db_instances", &json!({}));
    refused(listed, "rds:DescribeDBInstances", "arn:aws:rds:eu-west-1");
    let delete = json!({"DBInstanceIdentifier": "ledger", "SkipFinalSnapshot": true});
    refused(call(&hub, HERE, "rds", "delete_db_instance", &delete), "rds:DeleteDBInstance", &rig.database(0).arn);
}

#[test]
fn groups_of_others_are_out_of_reach() {
    let rig = rig();
    let (hub, _) = enforced(&rig);
    let network = rig.network(rig.database(0));
    let ec2 = |operation: &str, params: &Value| call(&hub, HERE, "ec2", operation, params);
    let mark = json!([{"Key": "rdsaccess:managed", "Value": "true"}]);
    let make = |tags: &Value| {
        json!({"GroupName": "ours", "Description": "it", "VpcId": network.vpc,
            "TagSpecifications": [{"ResourceType": "security-group", "Tags": tags}]})
    };
    let rule =
        json!([{"IpProtocol": "tcp", "FromPort": 5432, "ToPort": 5432, "IpRanges": [{"CidrIp": "10.20.0.0/16"}]}]);
    let authorize = |group: &str| {
        json!({"GroupId": group, "IpPermissions": rule,
            "TagSpecifications": [{"ResourceType": "security-group-rule", "Tags": mark}]})
    };
    let unmarked = make(&json!([{"Key": "env", "Value": "test"}]));
    refused(ec2("create_security_group", &unmarked), "ec2:CreateSecurityGroup", "security-group/*");
    let made = ec2("create_security_group", &make(&mark)).unwrap();
    let ours = made["GroupId"].as_str().unwrap();
    ec2("authorize_security_group_ingress", &authorize(ours)).unwrap();
    for group in [&network.db_base, &network.app] {
        let resource = format!("security-group/{group}");
        let authorized = ec2("authorize_security_group_ingress", &authorize(group));
        refused(authorized, "ec2:AuthorizeSecurityGroupIngress", &resource);
        let revoke = json!({"GroupId": group, "IpPermissions": rule});
        refused(ec2("revoke_security_group_ingress", &revoke), "ec2:RevokeSecurityGroupIngress", &resource);
        refused(ec2("delete_security_group", &json!({"GroupId": group})), "ec2:DeleteSecurityGroup", &resource);
        // Who could put our mark on a group of others could do everything else with it.
        refused(ec2("create_tags", &json!({"Resources": [group], "Tags": mark})), "ec2:CreateTags", &resource);
    }
    let [other_key, ours_alone] = [json!([{"Key": "env", "Value": "test"}]), json!([ours])];
    ec2("create_tags", &json!({"Resources": ours_alone, "Tags": other_key})).unwrap();
    let resource = format!("security-group/{ours}");
    let unmark = json!([{"Key": "rdsaccess:managed", "Value": "false"}]);
    refused(ec2("create_tags", &json!({"Resources": ours_alone, "Tags": unmark})), "ec2:CreateTags", &resource);
    let bare = json!([{"Key": "rdsaccess:managed"}]);
    for tags in [json!({"Resources": ours_alone, "Tags": bare}), json!({"Resources": ours_alone})] {
        refused(ec2("delete_tags", &tags), "ec2:DeleteTags", &resource);
    }
    ec2("delete_tags", &json!({"Resources": ours_alone, "Tags": other_key})).unwrap();
    let elsewhere = call(&hub, ELSEWHERE, "ec2", "describe_security_groups", &json!({}));
    refused(elsewhere, "ec2:DescribeSecurityGroups", "*");
    ec2("delete_security_group", &json!({"GroupId": ours})).unwrap();
}

/// The name of a user's secret where the provider keeps it.
fn name(database: &Database, user: &str) -> String {
    let Database { account_id, region, identifier, .. } = database;
    format!("rdsaccess/{account_id}/{region}/db/{identifier}/{user}")
}

#[test]
fn secrets_of_others_are_out_of_reach() {
    let rig = rig();
    let (hub, _) = enforced(&rig);
    let (ledger, stock) = (rig.database(0), rig.database(1));
    let prepare = |name: &str, tags: &Value| {
        let params = json!({"Name": name, "SecretString": "{}", "Tags": tags});
        rig.aws_of(ledger, "secretsmanager", "create_secret", &params).unwrap();
    };
    let mark = json!([{"Key": "rdsaccess:managed", "Value": "true"}]);
    prepare(&name(ledger, "hoop_ro"), &mark);
    prepare(&name(ledger, "unmarked"), &json!([]));
    let others = [name(stock, "hoop_ro"), "masters/ledger".to_owned(), format!("other/{}", name(ledger, "hoop_ro"))];
    for other in &others {
        prepare(other, &mark);
    }
    let secrets = |operation: &str, params: &Value| call(&hub, HERE, "secretsmanager", operation, params);
    let put = |name: &str| json!({"SecretId": name, "SecretString": "new"});
    secrets("get_secret_value", &json!({"SecretId": name(ledger, "hoop_ro")})).unwrap();
    secrets("put_secret_value", &put(&name(ledger, "hoop_ro"))).unwrap();
    for other in &others {
        let id = json!({"SecretId": other});
        refused(secrets("get_secret_value", &id), "secretsmanager:GetSecretValue", other);
        refused(secrets("describe_secret", &id), "secretsmanager:DescribeSecret", other);
        refused(secrets("put_secret_value", &put(other)), "secretsmanager:PutSecretValue", other);
        refused(secrets("delete_secret", &id), "secretsmanager:DeleteSecret", other);
        let tags = json!({"SecretId": other, "Tags": mark});
        refused(secrets("tag_resource", &tags), "secretsmanager:TagResource", other);
    }
    let unmarked = name(ledger, "unmarked");
    refused(secrets("put_secret_value", &put(&unmarked)), "secretsmanager:PutSecretValue", &unmarked);
    // It could be marked, though: AWS checks the tags of a new secret as it checks those that are put on an old one.
    refused(secrets("delete_secret", &json!({"SecretId": unmarked})), "secretsmanager:DeleteSecret", &unmarked);
    let make = |name: &str, tags: &Value| json!({"Name": name, "Tags": tags});
    let bare = make(&name(ledger, "new"), &json!([]));
    refused(secrets("create_secret", &bare), "secretsmanager:CreateSecret", "new");
    refused(secrets("create_secret", &make("new", &mark)), "secretsmanager:CreateSecret", "secret:new");
    refused(secrets("list_secrets", &json!({})), "secretsmanager:ListSecrets", "*");
    let elsewhere = call(&hub, ELSEWHERE, "secretsmanager", "describe_secret", &json!({"SecretId": "rdsaccess/x"}));
    refused(elsewhere, "secretsmanager:DescribeSecret", "eu-west-1");
}

#[test]
fn passwords_that_rds_manages_for_others_are_out_of_reach() {
    let rig = rig();
    let managed = |database: &Database| {
        let params = json!({"DBInstanceIdentifier": database.identifier, "ManageMasterUserPassword": true});
        let made = rig.aws_of(database, "rds", "modify_db_instance", &params).unwrap();
        json!({"SecretId": made["DBInstance"]["MasterUserSecret"]["SecretArn"]})
    };
    let (own, others) = (managed(rig.database(0)), managed(rig.database(1)));
    let (hub, _) = enforced(&rig);
    let secrets = |operation: &str, params: &Value| call(&hub, HERE, "secretsmanager", operation, params);
    for (operation, action) in [("get_secret_value", "GetSecretValue"), ("describe_secret", "DescribeSecret")] {
        secrets(operation, &own).unwrap();
        refused(secrets(operation, &others), &format!("secretsmanager:{action}"), "secret:rds!db-");
    }
    let mut rotate = others;
    rotate["RotationRules"] = json!({"AutomaticallyAfterDays": 1});
    rotate["RotateImmediately"] = json!(false);
    refused(secrets("rotate_secret", &rotate), "secretsmanager:RotateSecret", "secret:rds!db-");
}

#[test]
fn only_the_hub_enters_and_only_where_the_databases_are() {
    let rig = rig();
    let (hub, _) = enforced(&rig);
    let enter = |keys: &Value, account: &str, role: &str, external_id: Option<&str>| {
        let arn = format!("arn:aws:iam::{}:role/{role}", rig.account_id(account));
        let mut params = json!({"RoleArn": arn, "RoleSessionName": "neighbour"});
        if let Some(id) = external_id {
            params["ExternalId"] = json!(id);
        }
        rig.ask_aws(&json!({"endpoint": rig.made.endpoint, "keys": keys, "region": HERE, "service": "sts",
            "operation": "assume_role", "params": params}))
    };
    let (own, stranger) = (hub.keys(), stranger(&rig));
    enter(&own, "payments-prod", ROLE, Some(EXTERNAL_ID)).unwrap();
    for id in [None, Some("wrong")] {
        refused(enter(&own, "payments-prod", ROLE, id), "sts:AssumeRole", ROLE);
    }
    refused(enter(&own, "orders-eu", ROLE, Some(EXTERNAL_ID)), "sts:AssumeRole", rig.account_id("orders-eu"));
    let other = &rig.made.organization.member_role;
    refused(enter(&own, "payments-prod", other, Some(EXTERNAL_ID)), "sts:AssumeRole", other);
    refused(enter(&stranger, "payments-prod", ROLE, Some(EXTERNAL_ID)), "sts:AssumeRole", ROLE);
}

/// The keys of another user in the hub's account who may take any role.
fn stranger(rig: &Rig) -> Value {
    let iam = |operation: &str, params: &Value| rig.aws(None, HERE, "iam", operation, params).unwrap();
    iam("create_user", &json!({"UserName": "stranger"}));
    let all = json!({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "sts:*", "Resource": "*"}]});
    iam("put_user_policy", &json!({"UserName": "stranger", "PolicyName": "all", "PolicyDocument": all.to_string()}));
    let key = iam("create_access_key", &json!({"UserName": "stranger"}));
    json!({"access_key": key["AccessKey"]["AccessKeyId"], "secret_key": key["AccessKey"]["SecretAccessKey"]})
}

/// What no call of the API asks for, by the evaluator alone.
#[test]
fn tokens_and_keys_of_others_are_out_of_reach() {
    let rig = rig();
    let key = super::scenarios::key(&rig);
    let hub = Hub::new(&rig, &["payments-prod"]);
    let arguments = format!("admin_names = [\"dba\"]\n  kms_key_arns = [\"{key}\"]");
    let documents = hub.read(&ALL, &[rig.database(0)], &arguments, "");
    let allowed = |action: &str, resource: &str, context: Value| {
        let known =
            ["kms:ViaService", "kms:GrantIsForAWSResource", "aws:ResourceTag/rdsaccess:managed", "kms:ResourceAliases"];
        let ask = json!({"policies": [documents.member], "action": action, "resource": resource, "context": context,
            "known": known});
        rig.control("POST", "iam/evaluate", &ask)["effect"] == json!("Allow")
    };
    let user = |database: &Database, name: &str| {
        let Database { account_id, region, resource_id, .. } = database;
        format!("arn:aws:rds-db:{region}:{account_id}:dbuser:{resource_id}/{name}")
    };
    let (ledger, stock) = (rig.database(0), rig.database(1));
    assert!(allowed("rds-db:connect", &user(ledger, "dba"), json!({})));
    for other in [user(ledger, "admin1"), user(ledger, "dba2"), user(stock, "dba"), user(rig.database(2), "dba")] {
        assert!(!allowed("rds-db:connect", &other, json!({})), "{other}");
    }
    let through = |service: &str| json!({"kms:ViaService": format!("{service}.us-east-1.amazonaws.com")});
    assert!(allowed("kms:Decrypt", &key, through("secretsmanager")));
    assert!(!allowed("kms:Decrypt", &key, json!({})), "only Secrets Manager decrypts");
    assert!(!allowed("kms:Decrypt", &key, through("s3")));
    let other = format!("arn:aws:kms:us-east-1:{}:key/another", ledger.account_id);
    assert!(!allowed("kms:Decrypt", &other, through("secretsmanager")));
    let grant = |is: &str| json!({"kms:GrantIsForAWSResource": is, "kms:ViaService": "rds.us-east-1.amazonaws.com"});
    assert!(allowed("kms:CreateGrant", &key, grant("true")));
    assert!(!allowed("kms:CreateGrant", &key, grant("false")), "a grant for somebody else");
    let elsewhere = json!({"kms:GrantIsForAWSResource": "true", "kms:ViaService": "ec2.us-east-1.amazonaws.com"});
    assert!(!allowed("kms:CreateGrant", &key, elsewhere), "through another service");
    let vpc = |region: &str, account: &str| format!("arn:aws:ec2:{region}:{account}:vpc/vpc-1");
    let shared = vpc(HERE, rig.account_id("shared-services"));
    assert!(allowed("ec2:CreateSecurityGroup", &shared, json!({})), "a VPC that another account shares");
    let far = vpc(ELSEWHERE, &ledger.account_id);
    assert!(!allowed("ec2:CreateSecurityGroup", &far, json!({})), "a VPC where no database is");
    assert!(!allowed("iam:PutRolePolicy", &format!("arn:aws:iam::{}:role/{ROLE}", ledger.account_id), json!({})));
}
