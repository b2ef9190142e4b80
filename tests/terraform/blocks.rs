//! Pieces of configuration that every test needs.

use crate::rig::Rig;

/// The provider and its block, pointed at the fake AWS, with further lines inside the block.
pub(crate) fn provider(rig: &Rig, more: &str) -> String {
    let endpoint = &rig.made.endpoint;
    let ca = rig.made.ca_file.display();
    let role = &rig.made.organization.member_role;
    let external_id =
        rig.made.organization.external_id.as_ref().map_or(String::new(), |id| format!("external_id = \"{id}\""));
    format!(
        r#"
terraform {{
  required_providers {{
    rdsaccess = {{ source = "rdsaccess/rdsaccess" }}
  }}
}}

provider "rdsaccess" {{
  region = "{region}"
  member_role = {{
    name = "{role}"
    {external_id}
  }}
  endpoints = {{
    rds            = "{endpoint}"
    ec2            = "{endpoint}"
    sts            = "{endpoint}"
    organizations  = "{endpoint}"
    secretsmanager = "{endpoint}"
  }}
  tls = {{ ca_bundle = file("{ca}") }}
  {more}
}}
"#,
        region = rig.made.region,
    )
}
