//! An organization in GovCloud and one in China.

use serde_json::json;

use super::{calls, contains_all, forget, instances, principals};
use crate::blocks;
use crate::rig::Rig;
use crate::wish::{DatabaseWish, Wish};
use crate::workspace::Workspace;

#[test]
fn everything_happens_in_the_partition_of_the_caller() {
    for (partition, region) in [("aws-us-gov", "us-gov-west-1"), ("aws-cn", "cn-north-1")] {
        let ledger = DatabaseWish::instance("payments-prod", region, "ledger", "postgres").unreachable();
        let rig = Rig::start(&Wish::organization().home_region(region).with(ledger));
        let arn = rig.database(0).arn.clone();
        assert!(arn.starts_with(&format!("arn:{partition}:rds:{region}:")), "{arn}");
        let workspace = Workspace::new(&rig);
        let group =
            |arn: &str| format!("resource \"rdsaccess_security_group\" \"it\" {{\n  target_arn = \"{arn}\"\n}}\n");
        let accounts = "data \"rdsaccess_accounts\" \"all\" {\n}\n";
        let others = blocks::provider(&rig, "") + accounts + &instances(&rig);
        workspace.write("main.tf", &(others.clone() + &group(&arn)));
        forget(&rig);
        workspace.apply().ok();
        workspace.plan().nothing();
        let found = workspace.resource("data.rdsaccess_instances.all").unwrap();
        assert_eq!(found["targets"].as_object().unwrap().keys().collect::<Vec<_>>(), [&arn]);
        let made = workspace.resource("rdsaccess_security_group.it").unwrap();
        contains_all(made["arn"].as_str().unwrap(), &[&format!("arn:{partition}:ec2:{region}:")]);
        let (account, role) = (rig.account_id("payments-prod"), &rig.made.organization.member_role);
        for call in rig.calls("AssumeRole") {
            assert_eq!(call["params"]["RoleArn"], json!(format!("arn:{partition}:iam::{account}:role/{role}")));
        }
        for principal in principals(&rig) {
            assert!(principal.starts_with(&format!("arn:{partition}:")), "{principal}");
        }

        workspace.destroy().ok();
        forget(&rig);
        let elsewhere = format!("arn:aws:rds:eu-west-1:{account}:db:ledger");
        workspace.write("main.tf", &(blocks::provider(&rig, "") + &group(&elsewhere)));
        let said = workspace.plan_run().error();
        let words = format!("the credentials belong to partition {partition}, the ARN to aws");
        contains_all(&said, &[&words, &elsewhere]);
        let asked: Vec<_> = calls(&rig).into_iter().map(|call| call["action"].clone()).collect();
        assert_eq!(asked, ["GetCallerIdentity"], "no role is taken for it");
    }
}
