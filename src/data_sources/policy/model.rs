//! Arguments and results of `rdsaccess_policy`.

use std::collections::BTreeSet;

use crate::access::Arn;
use crate::model;
use crate::value::Value;

use super::feature::{Feature, KeyArn, PrincipalArn};
use super::user::User;

model! {
    /// Writes the IAM documents for what is used: exactly the actions that the provider calls, on the databases, their
    /// security groups and their secrets, and nothing else.
    ///
    /// The hub identity holds `hub_policy_json`. Every account has a role, as `member_role` of the provider block names it,
    /// with `trust_policy_json` and `member_policy_json`; `cloudformation_template` is that role for a StackSet of the
    /// organization, and the module `examples/modules/member-role` is the same in HCL. The gateway's agent holds
    /// `agent_policy_json`. Where the store, the names of roles and the home region come in, the provider block says them.
    ///
    /// Nothing is asked of AWS, but for `role_iam` with `target_arns`, which needs the resource ids of the databases. A
    /// database that cannot be described yet, because its role is still to be made, is named by pattern with a warning.
    ///
    /// With `target_arns` a document names these databases. Without, it names all databases of the account that it is
    /// attached to, in the hub's document those of the hub's own account, and the hub may take the role in every account of
    /// its organization. Principals of several accounts share one hub document: each reaches what is in its own account, and
    /// enters those of the others by the role. A team with one account attaches `member_policy_json` to the identity that
    /// the provider runs as: nothing in it is about the organization or about roles.
    ///
    /// IAM takes at most 10,240 characters for all inline policies of a role together, 2,048 of a user, and 6,144 for a
    /// managed policy; white space does not count, and these documents have none. A document of more than 10,240 characters
    /// is an error. By pattern all features together take less than 6,000 characters for the role in an account and less
    /// than 7,000 for the hub, however many databases there are. With `target_arns` each database of the account adds 350 to
    /// 500 characters, so about ten fit with all features. Let the hub have its document by pattern, and ask with `for_each`
    /// for one document for each account, as the example does.
    ///
    /// The secrets of roles and masters are those below `name_prefix` of the store. The tag `rdsaccess:managed = true` keeps
    /// the provider from changing others there by mistake, but it is no boundary: who may make secrets with the tag may also
    /// put it on one that is there, because AWS checks both as `secretsmanager:TagResource`. Keep nothing else below the
    /// prefix. The mark of a security group can neither be put on a group of others nor taken off again.
    ///
    /// Not in the documents, because nothing here says it: secrets that `admin.secret_ref` or `adopt_secret_ref` names
    /// outside of the provider's store, a `store` that a resource sets for itself, and the key that a secret had before
    /// `kms_key_id` was changed. A security group that is imported and was not made by the provider needs the tag
    /// `rdsaccess:managed = true` first. What takes `assume_role` of the provider block needs `sts:AssumeRole` on its
    /// `role_arn`, and `sts:TagSession` where that has `tags`.
    pub struct Policy {
        /// ARNs of the databases.
        target_arns: BTreeSet<Arn> = optional().not_empty().default_words("all databases of an account"),
        /// What is used: `discovery` (`rdsaccess_accounts`, `rdsaccess_instances`), `security_group`, `master_password` and
        /// `master_rds_managed` (`rdsaccess_master_credential`), `role_password` and `role_iam` (`rdsaccess_role`),
        /// `secret_read` (`rdsaccess_secret`, and connections with `secret_delivery = "copy"`).
        features: BTreeSet<Feature> = optional().not_empty()
            .defaults_to(Value::Set(Feature::ALL.iter().map(|feature| Value::from(feature.as_str())).collect())),
        /// ARNs of the roles, users or account roots that the provider runs as. Databases and secrets in their account are
        /// reached without a role; `hub_policy_json` then holds what that needs.
        hub_principal_arns: BTreeSet<PrincipalArn> = optional().not_empty()
            .default_words("`role_arn` of `assume_role` or `assume_role_with_web_identity` of the provider block"),
        /// ARNs of the roles, users or account roots that the gateway's agents run as; `agent_policy_json` is of no use to
        /// anybody else.
        agent_principal_arns: BTreeSet<PrincipalArn> = optional().not_empty(),
        /// External id that entering an account asks for.
        external_id: String = optional().not_empty()
            .default_words("`member_role.external_id` of the provider block"),
        /// Names of the database roles, of which an agent may read the secrets or log in with tokens. An account of MySQL or
        /// MariaDB with a host part is `name@host`.
        role_names: BTreeSet<User> = optional().not_empty().defaults_to(Value::Set(
            ["hoop_ddl", "hoop_ro", "hoop_rw"].into_iter().map(Value::from).collect(),
        )),
        /// Names of the administrators that roles with `admin = { auth = "iam" }` log in as.
        admin_names: BTreeSet<User> = optional().not_empty(),
        /// ARNs of the customer keys behind `kms_key_id` of master credentials with `method = "rds_managed"`, or behind
        /// other secrets that are read. That of the provider's `store` needs no mention.
        kms_key_arns: BTreeSet<KeyArn> = optional().not_empty(),
        /// For the hub identity; null when nothing is needed.
        hub_policy_json: String = computed(),
        /// For the role in every account; null when nothing is needed.
        member_policy_json: String = computed(),
        /// Who may take that role; null when no principal is known.
        trust_policy_json: String = computed(),
        /// For the gateway's agent; null when nothing is needed.
        agent_policy_json: String = computed(),
        /// The role as a CloudFormation template, JSON, with the parameters `RoleName`, `RolePath`, `HubPrincipalArns`,
        /// `ExternalId`, `MaxSessionDuration` and `PermissionsBoundary`. It names the role, so it needs
        /// `CAPABILITY_NAMED_IAM`.
        cloudformation_template: String = computed(),
    }
}
