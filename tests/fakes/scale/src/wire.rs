//! The wire forms: what a request asks for, and how each service says yes and no.

use std::collections::BTreeMap;

use axum::body::Bytes;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use percent_encoding::percent_decode_str;
use serde_json::{Value, json};

use crate::xml::Xml;

/// A service that is spoken here.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Service {
    Organizations,
    Sts,
    Rds,
    Ec2,
}

impl Service {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Organizations => "organizations",
            Self::Sts => "sts",
            Self::Rds => "rds",
            Self::Ec2 => "ec2",
        }
    }

    fn namespace(self) -> &'static str {
        match self {
            Self::Organizations => "",
            Self::Sts => "https://sts.amazonaws.com/doc/2011-06-15/",
            Self::Rds => "http://rds.amazonaws.com/doc/2014-10-31/",
            Self::Ec2 => "http://ec2.amazonaws.com/doc/2016-11-15/",
        }
    }
}

/// Parameters by name: those of a form, or the texts and numbers at the top of a JSON object.
pub(crate) type Parameters = BTreeMap<String, String>;

/// What is asked.
#[derive(Debug)]
pub(crate) struct Request {
    pub(crate) service: Service,
    pub(crate) action: String,
    pub(crate) parameters: Parameters,
}

impl Request {
    /// Takes a request apart; `None` for a service or form that is not spoken here.
    pub(crate) fn read(headers: &HeaderMap, body: &Bytes) -> Option<Self> {
        if let Some(target) = headers.get("x-amz-target") {
            let action = target.to_str().ok()?.strip_prefix("AWSOrganizationsV20161128.")?.to_owned();
            return Some(Self { service: Service::Organizations, action, parameters: json_parameters(body)? });
        }
        let mut parameters = form_parameters(body)?;
        let service = match parameters.remove("Version")?.as_str() {
            "2011-06-15" => Service::Sts,
            "2014-10-31" => Service::Rds,
            "2016-11-15" => Service::Ec2,
            _ => return None,
        };
        Some(Self { service, action: parameters.remove("Action")?, parameters })
    }

    pub(crate) fn parameter(&self, name: &str) -> Option<&str> {
        self.parameters.get(name).map(String::as_str)
    }

    /// The entries of a list: `Name.1`, `Name.2` and so on.
    pub(crate) fn list<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        (1..).map_while(move |number| self.parameter(&format!("{name}.{number}")))
    }
}

fn json_parameters(body: &Bytes) -> Option<Parameters> {
    let fields: serde_json::Map<String, Value> = serde_json::from_slice(body).ok()?;
    let text = |(name, value): (String, Value)| match value {
        Value::String(text) => Some((name, text)),
        Value::Number(number) => Some((name, number.to_string())),
        _ => None,
    };
    Some(fields.into_iter().filter_map(text).collect())
}

fn form_parameters(body: &Bytes) -> Option<Parameters> {
    let decoded = |text: &str| percent_decode_str(&text.replace('+', " ")).decode_utf8().map(String::from).ok();
    let pair = |pair: &str| {
        let (name, value) = pair.split_once('=')?;
        Some((decoded(name)?, decoded(value)?))
    };
    std::str::from_utf8(body).ok()?.split('&').map(pair).collect()
}

/// What a call gives back when all is well.
#[derive(Debug)]
pub(crate) enum Answer {
    Json(Value),
    /// The content of the result element
    Xml(Xml),
}

/// Why a call is refused.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Refusal {
    pub(crate) status: StatusCode,
    pub(crate) code: &'static str,
    pub(crate) message: String,
}

impl Refusal {
    pub(crate) fn new(status: StatusCode, code: &'static str, message: impl Into<String>) -> Self {
        Self { status, code, message: message.into() }
    }

    pub(crate) fn bad(code: &'static str, message: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, code, message)
    }

    pub(crate) fn not_found(code: &'static str, message: impl Into<String>) -> Self {
        Self::new(StatusCode::NOT_FOUND, code, message)
    }

    /// A parameter that does not fit, in the words of the service.
    pub(crate) fn invalid(service: Service, message: impl Into<String>) -> Self {
        let code = match service {
            Service::Organizations => "InvalidInputException",
            Service::Sts => "ValidationError",
            Service::Rds | Service::Ec2 => "InvalidParameterValue",
        };
        Self::bad(code, message)
    }

    pub(crate) fn throttled(service: Service) -> Self {
        match service {
            Service::Organizations => {
                Self::bad("TooManyRequestsException", "AWS Organizations can't complete your request: rate exceeded.")
            }
            Service::Sts | Service::Rds => Self::bad("Throttling", "Rate exceeded"),
            Service::Ec2 => {
                Self::new(StatusCode::SERVICE_UNAVAILABLE, "RequestLimitExceeded", "Request limit exceeded.")
            }
        }
    }

    pub(crate) fn denied(service: Service, message: impl Into<String>) -> Self {
        match service {
            Service::Organizations => Self::bad("AccessDeniedException", message),
            Service::Ec2 => Self::new(StatusCode::FORBIDDEN, "UnauthorizedOperation", message),
            Service::Sts | Service::Rds => Self::new(StatusCode::FORBIDDEN, "AccessDenied", message),
        }
    }
}

/// The whole answer.
pub(crate) fn respond(request: &Request, request_id: &str, outcome: Result<Answer, Refusal>) -> Response {
    let (status, body) = match outcome {
        Ok(Answer::Json(value)) => (StatusCode::OK, value.to_string()),
        Ok(Answer::Xml(xml)) => (StatusCode::OK, success(request, request_id, xml)),
        Err(refusal) => (refusal.status, failure(request.service, request_id, &refusal)),
    };
    let form = if request.service == Service::Organizations { "application/x-amz-json-1.1" } else { "text/xml" };
    (status, [(header::CONTENT_TYPE, form), (header::HeaderName::from_static("x-amzn-requestid"), request_id)], body)
        .into_response()
}

/// EC2 has the result at the top; the others put it into an element of its own.
fn success(request: &Request, request_id: &str, content: Xml) -> String {
    let Request { service, action, .. } = request;
    let (namespace, content) = (service.namespace(), content.into_string());
    let inside = match service {
        Service::Ec2 => format!("<requestId>{request_id}</requestId>{content}"),
        _ => format!(
            "<{action}Result>{content}</{action}Result>\
             <ResponseMetadata><RequestId>{request_id}</RequestId></ResponseMetadata>"
        ),
    };
    format!("<{action}Response xmlns=\"{namespace}\">{inside}</{action}Response>")
}

fn failure(service: Service, request_id: &str, refusal: &Refusal) -> String {
    let Refusal { code, message, status } = refusal;
    if service == Service::Organizations {
        return json!({"__type": code, "Message": message}).to_string();
    }
    let mut xml = Xml::default();
    let words = |xml: &mut Xml| {
        xml.text("Code", code);
        xml.text("Message", message);
    };
    if service == Service::Ec2 {
        xml.element("Response", |xml| {
            xml.element("Errors", |xml| xml.element("Error", words));
            xml.text("RequestID", request_id);
        });
        return xml.into_string();
    }
    xml.element("Error", |xml| {
        xml.text("Type", if status.is_server_error() { "Receiver" } else { "Sender" });
        words(xml);
    });
    xml.text("RequestId", request_id);
    format!("<ErrorResponse xmlns=\"{}\">{}</ErrorResponse>", service.namespace(), xml.into_string())
}
