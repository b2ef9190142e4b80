//! The role as a CloudFormation template, for a stack or a StackSet of the organization.

use serde_json::{Value, json};

use super::documents::Wanted;

/// What IAM takes as the longest session of a role, in seconds.
const SHORTEST_MAXIMUM: u64 = 3_600;
const LONGEST_MAXIMUM: u64 = 43_200;

/// The template; `None` when the role would hold no permission.
pub(super) fn template(wanted: &Wanted) -> Option<Value> {
    let (path, name) = split(&wanted.member_role.name);
    let policy = substitute(wanted.member_document_of_template()?.to_value());
    let role = json!({
        "Type": "AWS::IAM::Role",
        "Properties": {
            "RoleName": { "Ref": "RoleName" },
            "Path": { "Ref": "RolePath" },
            "Description": "Entered by Terraform (rdsaccess) to give access to databases",
            "MaxSessionDuration": { "Ref": "MaxSessionDuration" },
            "PermissionsBoundary": { "Fn::If": [
                "HasPermissionsBoundary",
                { "Ref": "PermissionsBoundary" },
                { "Ref": "AWS::NoValue" },
            ] },
            "AssumeRolePolicyDocument": trust(),
            "Policies": [{ "PolicyName": "rdsaccess", "PolicyDocument": policy }],
        },
    });
    Some(json!({
        "AWSTemplateFormatVersion": "2010-09-09",
        "Description": "Role that lets rdsaccess manage access to the databases of this account",
        "Parameters": parameters(wanted, &path, name),
        "Conditions": {
            "HasExternalId": is_given("ExternalId"),
            "HasPermissionsBoundary": is_given("PermissionsBoundary"),
        },
        "Resources": { "Role": role },
        "Outputs": { "RoleArn": {
            "Description": "ARN of the role",
            "Value": { "Fn::GetAtt": ["Role", "Arn"] },
        } },
    }))
}

fn is_given(parameter: &str) -> Value {
    json!({ "Fn::Not": [{ "Fn::Equals": [{ "Ref": parameter }, ""] }] })
}

fn parameters(wanted: &Wanted, path: &str, name: &str) -> Value {
    let hub: Vec<String> = wanted.hub.iter().map(ToString::to_string).collect();
    let session = wanted.member_role.duration.seconds().clamp(SHORTEST_MAXIMUM, LONGEST_MAXIMUM);
    let mut parameters = json!({
        "RoleName": {
            "Type": "String",
            "Default": name,
            "Description": "Name of the role; member_role.name of the provider block",
        },
        "RolePath": {
            "Type": "String",
            "Default": path,
            "Description": "Path of the role, with its slashes; it is a part of member_role.name of the provider block",
        },
        "PermissionsBoundary": {
            "Type": "String",
            "Default": "",
            "Description": "ARN of a permissions boundary, where the organization asks for one; empty for none",
        },
        "HubPrincipalArns": {
            "Type": "CommaDelimitedList",
            "Description": "ARNs of who enters the account",
        },
        "ExternalId": {
            "Type": "String",
            "Default": wanted.external_id.as_deref().unwrap_or_default(),
            "Description": "External id that entering asks for; empty for none",
        },
        "MaxSessionDuration": {
            "Type": "Number",
            "Default": session,
            "MinValue": SHORTEST_MAXIMUM,
            "MaxValue": LONGEST_MAXIMUM,
            "Description": "Longest session in seconds; at least member_role.duration of the provider block",
        },
    });
    if let Some(list) = parameters.get_mut("HubPrincipalArns").and_then(Value::as_object_mut)
        && !hub.is_empty()
    {
        list.insert("Default".to_owned(), hub.join(",").into());
    }
    parameters
}

fn trust() -> Value {
    json!({
        "Version": "2012-10-17",
        "Statement": [{
            "Sid": "HubEnters",
            "Effect": "Allow",
            "Principal": { "AWS": { "Ref": "HubPrincipalArns" } },
            "Action": "sts:AssumeRole",
            "Condition": { "Fn::If": [
                "HasExternalId",
                { "StringEquals": { "sts:ExternalId": { "Ref": "ExternalId" } } },
                { "Ref": "AWS::NoValue" },
            ] },
        }],
    })
}

/// The path of a role with its slashes, and the name alone.
fn split(role: &str) -> (String, &str) {
    let role = role.trim_start_matches('/');
    match role.rsplit_once('/') {
        Some((path, name)) => (format!("/{path}/"), name),
        None => ("/".to_owned(), role),
    }
}

/// Lets CloudFormation put in what it knows; variables of IAM stay as they are.
fn substitute(value: Value) -> Value {
    match value {
        Value::String(text) if text.contains("${AWS::") => {
            let kept = text.replace("${", "${!").replace("${!AWS::", "${AWS::");
            json!({ "Fn::Sub": kept })
        }
        Value::Array(values) => values.into_iter().map(substitute).collect(),
        Value::Object(entries) => entries.into_iter().map(|(key, value)| (key, substitute(value))).collect(),
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_path_of_a_role_is_a_property_of_its_own() {
        assert_eq!(split("Reader"), ("/".to_owned(), "Reader"));
        assert_eq!(split("/Reader"), ("/".to_owned(), "Reader"));
        assert_eq!(split("team/a/Reader"), ("/team/a/".to_owned(), "Reader"));
        assert_eq!(split("/team/Reader"), ("/team/".to_owned(), "Reader"));
    }

    #[test]
    fn only_what_cloudformation_knows_is_put_in() {
        let given = json!(["arn:${AWS::Partition}:x:${aws:PrincipalAccount}", "${aws:PrincipalAccount}"]);
        let expected =
            json!([{ "Fn::Sub": "arn:${AWS::Partition}:x:${!aws:PrincipalAccount}" }, "${aws:PrincipalAccount}"]);
        assert_eq!(substitute(given), expected);
    }
}
