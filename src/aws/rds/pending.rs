//! Names of the changes that wait for the maintenance window.

use aws_sdk_rds::types::{ClusterPendingModifiedValues, PendingModifiedValues};

use crate::access::PENDING_PASSWORD;

/// Pending changes of an instance, named as the API names the parameters, sorted.
pub(super) fn of_instance(values: Option<&PendingModifiedValues>) -> Vec<String> {
    let Some(v) = values else { return Vec::new() };
    names(&[
        ("AllocatedStorage", v.allocated_storage.is_some()),
        ("AutomationMode", v.automation_mode.is_some()),
        ("BackupRetentionPeriod", v.backup_retention_period.is_some()),
        ("CACertificateIdentifier", v.ca_certificate_identifier.is_some()),
        ("DBInstanceClass", v.db_instance_class.is_some()),
        ("DBInstanceIdentifier", v.db_instance_identifier.is_some()),
        ("DBSubnetGroupName", v.db_subnet_group_name.is_some()),
        ("DedicatedLogVolume", v.dedicated_log_volume.is_some()),
        ("Engine", v.engine.is_some()),
        ("EngineVersion", v.engine_version.is_some()),
        ("IAMDatabaseAuthenticationEnabled", v.iam_database_authentication_enabled.is_some()),
        ("Iops", v.iops.is_some()),
        ("LicenseModel", v.license_model.is_some()),
        (PENDING_PASSWORD, v.master_user_password.is_some()),
        ("MultiAZ", v.multi_az.is_some()),
        ("MultiTenant", v.multi_tenant.is_some()),
        ("PendingCloudwatchLogsExports", v.pending_cloudwatch_logs_exports.is_some()),
        ("Port", v.port.is_some()),
        ("ProcessorFeatures", !v.processor_features().is_empty()),
        ("ResumeFullAutomationModeTime", v.resume_full_automation_mode_time.is_some()),
        ("AdditionalStorageVolumes", !v.additional_storage_volumes().is_empty()),
        ("StorageThroughput", v.storage_throughput.is_some()),
        ("StorageType", v.storage_type.is_some()),
    ])
}

/// Pending changes of a cluster, named as the API names the parameters, sorted.
pub(super) fn of_cluster(values: Option<&ClusterPendingModifiedValues>) -> Vec<String> {
    let Some(v) = values else { return Vec::new() };
    names(&[
        ("AllocatedStorage", v.allocated_storage.is_some()),
        ("BackupRetentionPeriod", v.backup_retention_period.is_some()),
        ("CertificateDetails", v.certificate_details.is_some()),
        ("DBClusterIdentifier", v.db_cluster_identifier.is_some()),
        ("EngineVersion", v.engine_version.is_some()),
        ("IAMDatabaseAuthenticationEnabled", v.iam_database_authentication_enabled.is_some()),
        ("Iops", v.iops.is_some()),
        (PENDING_PASSWORD, v.master_user_password.is_some()),
        ("PendingCloudwatchLogsExports", v.pending_cloudwatch_logs_exports.is_some()),
        ("RdsCustomClusterConfiguration", v.rds_custom_cluster_configuration.is_some()),
        ("StorageType", v.storage_type.is_some()),
    ])
}

fn names(pairs: &[(&str, bool)]) -> Vec<String> {
    let mut names: Vec<String> = pairs.iter().filter(|(_, set)| *set).map(|(name, _)| (*name).to_owned()).collect();
    names.sort();
    names
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pending_changes_are_named_and_their_values_left_out() {
        let values = PendingModifiedValues::builder().master_user_password("****").db_instance_class("db.m7g.large");
        assert_eq!(of_instance(Some(&values.build())), ["DBInstanceClass", "MasterUserPassword"]);
        let values = ClusterPendingModifiedValues::builder().engine_version("16.4").master_user_password("****");
        assert_eq!(of_cluster(Some(&values.build())), ["EngineVersion", "MasterUserPassword"]);
    }

    #[test]
    fn an_answer_without_the_element_or_with_an_empty_one_has_nothing_pending() {
        assert!(of_instance(None).is_empty() && of_cluster(None).is_empty());
        assert!(of_instance(Some(&PendingModifiedValues::builder().build())).is_empty());
        assert!(of_cluster(Some(&ClusterPendingModifiedValues::builder().build())).is_empty());
    }
}
