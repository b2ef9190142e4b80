//! Which hosts are asked in each partition: no request leaves the machine.

use std::sync::{Arc, Mutex};

use aws_smithy_runtime_api::client::http::{
    HttpClient, HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpClient, SharedHttpConnector,
};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use aws_smithy_types::body::SdkBody;

use super::Sessions;
use super::settings::{Settings, StaticKeys, TokenOrigin, WebIdentity, WebToken};

/// Notes where requests go, and answers as STS does to some account of a partition.
#[derive(Debug, Clone)]
struct Recorder {
    partition: &'static str,
    hosts: Arc<Mutex<Vec<String>>>,
}

impl HttpClient for Recorder {
    fn http_connector(&self, _: &HttpConnectorSettings, _: &RuntimeComponents) -> SharedHttpConnector {
        SharedHttpConnector::new(self.clone())
    }
}

impl HttpConnector for Recorder {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let host = request.uri().split('/').nth(2).unwrap_or_default().to_owned();
        let signed = request.headers().get("authorization").and_then(|text| text.split('/').nth(2)).unwrap_or("-");
        self.hosts.lock().unwrap().push(format!("{host} signed for {signed}"));
        let body = String::from_utf8_lossy(request.body().bytes().unwrap_or_default()).into_owned();
        HttpConnectorFuture::ready(Ok(HttpResponse::new(200.try_into().unwrap(), self.answer(&body))))
    }
}

impl Recorder {
    fn answer(&self, request: &str) -> SdkBody {
        let credentials = "<Credentials><AccessKeyId>ASIA1</AccessKeyId><SecretAccessKey>secret</SecretAccessKey>\
                           <SessionToken>token</SessionToken><Expiration>2200-01-01T00:00:00Z</Expiration></Credentials>";
        let text = if request.contains("Action=GetCallerIdentity") {
            let arn = format!("arn:{}:iam::111111111111:user/hub", self.partition);
            format!(
                "<GetCallerIdentityResponse><GetCallerIdentityResult><Arn>{arn}</Arn></GetCallerIdentityResult>\
                 </GetCallerIdentityResponse>"
            )
        } else if request.contains("Action=AssumeRoleWithWebIdentity") {
            format!(
                "<AssumeRoleWithWebIdentityResponse><AssumeRoleWithWebIdentityResult>{credentials}\
                 </AssumeRoleWithWebIdentityResult></AssumeRoleWithWebIdentityResponse>"
            )
        } else if request.contains("Action=AssumeRole") {
            format!("<AssumeRoleResponse><AssumeRoleResult>{credentials}</AssumeRoleResult></AssumeRoleResponse>")
        } else if request.contains("Action=") {
            "<DescribeDBInstancesResponse><DescribeDBInstancesResult/></DescribeDBInstancesResponse>".to_owned()
        } else {
            r#"{"Roots": []}"#.to_owned()
        };
        SdkBody::from(text)
    }
}

fn sessions(partition: &'static str, region: &str, web_identity: bool) -> (Sessions, Recorder) {
    let recorder = Recorder { partition, hosts: Arc::default() };
    let keys =
        StaticKeys { access_key: "AKIA1".to_owned(), secret_key: String::from("secret").as_str().into(), token: None };
    let role_arn = format!("arn:{partition}:iam::111111111111:role/ci");
    let identity = WebIdentity {
        role_arn,
        token: WebToken::Inline("e.y.J".into()),
        session_name: None,
        origin: TokenOrigin::ProviderBlock,
    };
    let settings = Settings {
        region: Some(region.parse().unwrap()),
        static_keys: Some(keys).filter(|_| !web_identity),
        web_identity: Some(identity).filter(|_| web_identity),
        ..Settings::default()
    };
    (Sessions::with_client(settings, SharedHttpClient::new(recorder.clone())), recorder)
}

#[tokio::test]
async fn every_service_is_asked_at_the_endpoint_of_its_partition() {
    for (partition, region, suffix, organizations) in [
        ("aws", "eu-central-1", "amazonaws.com", "organizations.us-east-1.amazonaws.com signed for us-east-1"),
        (
            "aws-us-gov",
            "us-gov-west-1",
            "amazonaws.com",
            "organizations.us-gov-west-1.amazonaws.com signed for us-gov-west-1",
        ),
        (
            "aws-cn",
            "cn-north-1",
            "amazonaws.com.cn",
            "organizations.cn-northwest-1.amazonaws.com.cn signed for cn-northwest-1",
        ),
    ] {
        let (sessions, recorder) = sessions(partition, region, false);
        let session = sessions.session(&"222222222222".parse().unwrap(), &region.parse().unwrap()).await.unwrap();
        assert_eq!(
            session.identity(),
            format!("arn:{partition}:iam::222222222222:role/HoopOrganizationAccountAccessRole")
        );
        session.rds().describe_db_instances().send().await.unwrap();
        sessions.organizations().await.unwrap().0.list_roots().send().await.unwrap();
        let sts = format!("sts.{region}.{suffix} signed for {region}");
        let rds = format!("rds.{region}.{suffix} signed for {region}");
        assert_eq!(*recorder.hosts.lock().unwrap(), [sts.as_str(), &sts, &rds, organizations], "{partition}");
    }
}

#[tokio::test]
async fn a_web_identity_is_exchanged_in_the_home_region_without_a_signature() {
    let (sessions, recorder) = sessions("aws-us-gov", "us-gov-east-1", true);
    assert_eq!(sessions.hub_credentials().await.unwrap().access_key_id(), "ASIA1");
    assert_eq!(*recorder.hosts.lock().unwrap(), ["sts.us-gov-east-1.amazonaws.com signed for -"]);
}

#[tokio::test]
async fn a_database_of_another_partition_is_refused_before_any_role_is_taken() {
    let (sessions, recorder) = sessions("aws", "eu-central-1", false);
    for arn in ["arn:aws-us-gov:rds:us-gov-west-1:222222222222:db:a", "arn:aws-cn:rds:cn-north-1:222222222222:db:a"] {
        let text = sessions.session_for(&arn.parse().unwrap()).await.unwrap_err().to_string();
        assert!(text.contains("the credentials belong to partition aws, the ARN to aws-"), "{text}");
    }
    assert_eq!(recorder.hosts.lock().unwrap().len(), 1, "the caller was asked for once");
}
