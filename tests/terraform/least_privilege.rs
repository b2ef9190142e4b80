//! The documents of `rdsaccess_policy` are enough, and nothing in them could be left out.
//!
//! | module      | what it proves                                                                                   |
//! |-------------|--------------------------------------------------------------------------------------------------|
//! | `whole`     | everything the provider does runs under exactly the documents for all features                   |
//! | `scenarios` | what a feature does runs under exactly the documents for it; without any single action of any    |
//! |             | statement it fails, with an error that names the action                                          |
//! | `neighbours`| what lies beside the documents is refused: other databases, groups, secrets, roles, regions      |
//! | `agent`     | the gateway's agent reads the secrets of its roles and logs in as them, and nothing else         |
//! | `hub`       | the hub and the roles in the accounts, which hold the documents under test and nothing else      |
//! | `proof`     | runs a scenario with whole documents, then again and again with one action less                  |
//!
//! The fake AWS evaluates the documents for every call: identity policies, the trust policy of the role, resources and
//! conditions (`tests/fakes/aws/iam`, checked against AWS's own rules by `make test-fakes`). A condition or an action that
//! the evaluator does not know is an error there, so no document passes because it was not understood.
//!
//! What this does not prove: that AWS evaluates as the evaluator does, and that AWS asks for no more than its Service
//! Authorization Reference says. There are no service control policies, no resource policies and no key policies here.

mod agent;
pub(crate) mod hub;
mod neighbours;
mod proof;
mod scenarios;
mod whole;
